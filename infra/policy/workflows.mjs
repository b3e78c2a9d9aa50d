// GitHub's own rules for workflows and actions, by the service that its editors use: keys, expressions and their contexts, the
// graph of jobs, inputs of local reusable workflows. Fails on anything it says; spoiled workflows show that it sees.
//
//   node workflows.mjs FOLDER_OF_MODULES FILE...      from the repository's root

import { readFileSync } from 'node:fs';
import { register } from 'node:module';
import { relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const [modules, ...files] = process.argv.slice(2);
// The service is published for bundlers: it imports JSON without saying so, which Node wants.
register(`data:text/javascript,${encodeURIComponent(`
  export const load = (url, context, next) =>
    next(url, url.endsWith('.json') ? { ...context, importAttributes: { type: 'json' } } : context);
`)}`);
const from = (path) => import(pathToFileURL(resolve(modules, path)));
const { validate } = await from('@actions/languageservice/dist/index.js');
const { TextDocument } = await from('vscode-languageserver-textdocument/lib/esm/main.js');

/** What is wrong with a file's text. */
async function faultsOf(file, text) {
  const document = TextDocument.create(pathToFileURL(file).href, 'yaml', 1, text);
  const said = await validate(document, {
    fileProvider: {
      async getFileContent(reference) {
        const path = resolve(reference.path);
        return { name: relative('.', path), content: readFileSync(path, 'utf8') };
      },
    },
  });
  return said.map(({ message, range }) => `${relative('.', fileURLToPath(document.uri))}:${range.start.line + 1}: ${message}`);
}

const job = 'runs-on: ubuntu-24.04\n    steps:\n      - run: echo';
const spoiled = {
  'an unknown key': `on: push\njobs:\n  one:\n    run-on: ubuntu-24.04\n    ${job}\n`,
  'a job that needs nobody': `on: push\njobs:\n  one:\n    needs: nobody\n    ${job}\n`,
  'an unknown context': `on: push\njobs:\n  one:\n    ${job} \${{ nothing.name }}\n`,
  'a broken expression': `on: push\njobs:\n  one:\n    ${job} \${{ github.ref == }}\n`,
  'an input that is not given': 'on: push\njobs:\n  one:\n    uses: ./.github/workflows/deploy-to.yml\n',
  'no event': `jobs:\n  one:\n    ${job}\n`,
};

const faults = [];
for (const [what, text] of Object.entries(spoiled)) {
  if ((await faultsOf('.github/workflows/spoiled.yml', text)).length === 0) faults.push(`nothing is seen of ${what}`);
}
for (const file of files) faults.push(...(await faultsOf(file, readFileSync(file, 'utf8'))));
for (const fault of faults) console.error(fault);
console.log(`${files.length} workflows and actions, ${Object.keys(spoiled).length} spoiled ones, ${faults.length} faults`);
process.exit(faults.length === 0 && files.length > 0 ? 0 : 1);
