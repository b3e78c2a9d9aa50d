//! Which certificate authorities are believed. Reading a machine's 140 of them is a sixth of a function's cold start, so on Lambda,
//! where nobody else puts any there, they are in the program. Where a setting of the machine names some, those are taken:
//! `AWS_CA_BUNDLE` (a file of PEM, for the AWS SDK alone, as AWS's own tools read it), `SSL_CERT_FILE` and `SSL_CERT_DIR` (for all).

use aws_smithy_http_client::tls::{TlsContext, TrustStore};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// Amazon Trust Services' five: what it recommends to those who keep a store of their own, and who signs for AWS's services
/// (`amazontrust.com/repository`).
pub const AMAZON: &str = include_str!("roots/amazon.pem");

/// Why there are none.
#[derive(Debug, thiserror::Error)]
pub enum RootsError {
    /// `AWS_CA_BUNDLE` names a file that cannot be read.
    #[error("AWS_CA_BUNDLE: the file cannot be read")]
    Unreadable(#[source] std::io::Error),
    /// What it names holds no certificate, or one that is none.
    #[error("AWS_CA_BUNDLE: no file of certificates in PEM")]
    NotCertificates,
    /// The SDK does not take them.
    #[error("the SDK does not take these certificates")]
    Refused,
}

/// Where certificates come from.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    /// From this file.
    File(String),
    /// From where this machine keeps them.
    Machine,
    /// From the program.
    Program,
}

/// For the AWS SDK.
fn of_aws(environment: impl Fn(&str) -> Option<String>) -> Source {
    match environment("AWS_CA_BUNDLE") {
        Some(file) => Source::File(file),
        None => of_others(environment),
    }
}

/// For everybody else. What runs on Lambda and nowhere else says how it was started; what only pretends to be Lambda, on a laptop,
/// has the laptop's roots.
fn of_others(environment: impl Fn(&str) -> Option<String>) -> Source {
    let is_lambda = environment("AWS_LAMBDA_INITIALIZATION_TYPE").is_some();
    let is_named = ["SSL_CERT_FILE", "SSL_CERT_DIR"]
        .iter()
        .any(|name| environment(name).is_some());
    match is_lambda && !is_named {
        true => Source::Program,
        false => Source::Machine,
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the machine's own settings, which libraries read in the same way; none of Clivy's"
)]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The TLS of the AWS SDK's clients.
///
/// # Errors
/// `AWS_CA_BUNDLE` is no file of certificates.
pub fn aws() -> Result<TlsContext, RootsError> {
    context(&of_aws(environment))
}

fn context(source: &Source) -> Result<TlsContext, RootsError> {
    let store = match source {
        Source::Machine => TrustStore::default(),
        Source::Program => TrustStore::empty().with_pem_certificate(AMAZON),
        Source::File(file) => {
            let pem = std::fs::read(file).map_err(RootsError::Unreadable)?;
            // The SDK would panic at what is no certificate.
            let mut found = RootCertStore::empty();
            for certificate in CertificateDer::pem_slice_iter(&pem) {
                let certificate = certificate.map_err(|_| RootsError::NotCertificates)?;
                let added = found.add(certificate);
                added.map_err(|_| RootsError::NotCertificates)?;
            }
            if found.is_empty() {
                return Err(RootsError::NotCertificates);
            }
            TrustStore::empty().with_pem_certificate(pem)
        }
    };
    let context = TlsContext::builder().with_trust_store(store).build();
    context.map_err(|_| RootsError::Refused)
}

/// The TLS of calls of models and gateways, on the process's crypto provider; none where the machine's roots are to be read, which the client does.
#[must_use]
pub fn others() -> Option<ClientConfig> {
    (of_others(environment) == Source::Program).then(in_the_program)
}

pub(crate) fn in_the_program() -> ClientConfig {
    let roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    let mut config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    // What the client offers by itself, when it makes its own.
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(set: &[&str]) -> [Source; 2] {
        let environment = |name: &str| set.contains(&name).then(|| format!("/{name}"));
        [of_aws(environment), of_others(environment)]
    }

    #[test]
    fn roots_are_in_the_program_on_lambda_only_and_only_where_nobody_names_others() {
        const LAMBDA: &str = "AWS_LAMBDA_INITIALIZATION_TYPE";
        let bundle = || Source::File("/AWS_CA_BUNDLE".to_owned());
        assert_eq!(sources(&[]), [Source::Machine, Source::Machine]);
        assert_eq!(sources(&[LAMBDA]), [Source::Program, Source::Program]);
        for name in ["SSL_CERT_FILE", "SSL_CERT_DIR"] {
            let of_both = sources(&[LAMBDA, name]);
            assert_eq!(of_both, [Source::Machine, Source::Machine], "{name}");
        }
        assert_eq!(
            sources(&[LAMBDA, "AWS_CA_BUNDLE"]),
            [bundle(), Source::Program]
        );
        assert_eq!(
            sources(&["AWS_CA_BUNDLE", "SSL_CERT_FILE"]),
            [bundle(), Source::Machine]
        );
    }

    #[test]
    fn the_five_are_certificates_of_amazon_that_others_believe_too() {
        let certificates = CertificateDer::pem_slice_iter(AMAZON.as_bytes());
        let mut store = RootCertStore::empty();
        for certificate in certificates {
            store.add(certificate.unwrap()).unwrap();
        }
        assert_eq!(store.len(), 5);
        for root in &store.roots {
            let is_known = webpki_roots::TLS_SERVER_ROOTS.iter().any(|known| {
                known.subject == root.subject
                    && known.subject_public_key_info == root.subject_public_key_info
            });
            assert!(is_known, "{:?}", root.subject);
        }
        context(&Source::Program).unwrap();
    }

    #[test]
    fn a_bundle_that_is_none_is_an_error_and_no_panic() {
        let folder = std::env::temp_dir().join(format!("clivy-roots-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.join(name);
            std::fs::write(&path, text).unwrap();
            context(&Source::File(path.display().to_string()))
        };
        assert!(file("good.pem", AMAZON).is_ok());
        let none = [
            "",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ];
        for text in none {
            let error = file("bad.pem", text).err();
            assert!(matches!(error, Some(RootsError::NotCertificates)), "{text}");
        }
        let missing = context(&Source::File("/nowhere/at/all".to_owned()));
        assert!(matches!(missing, Err(RootsError::Unreadable(_))));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
