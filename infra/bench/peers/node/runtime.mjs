// Lambda's Runtime API in the fewest lines: Lambda's own client for Node is compiled where it is installed. This one does less,
// so the twin is a little faster here than on Lambda.
import http from "node:http";
import { handler } from "./webhook.mjs";

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

function call(method, path, body) {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { "content-length": Buffer.byteLength(body) };
    const request = http.request(
      { host, port, method, path: `/2018-06-01/runtime/invocation/${path}`, agent, headers },
      (response) => {
        const chunks = [];
        response.on("data", (chunk) => chunks.push(chunk));
        response.on("end", () => resolve({ headers: response.headers, body: Buffer.concat(chunks).toString() }));
      },
    );
    request.on("error", reject);
    request.end(body);
  });
}

for (;;) {
  const next = await call("GET", "next");
  const id = next.headers["lambda-runtime-aws-request-id"];
  if (!id) process.exit(1);
  try {
    const answer = await handler(JSON.parse(next.body));
    await call("POST", `${id}/response`, JSON.stringify(answer));
  } catch (error) {
    await call("POST", `${id}/error`, JSON.stringify({ errorMessage: String(error), errorType: error.name }));
  }
}
