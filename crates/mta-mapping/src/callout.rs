//! What a template may ask of the world.

/// An answer that could not be had now and may be had later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("temporary failure of a lookup")]
pub struct TemporaryFailure;

/// Whoever evaluates a table answers its call-outs through this trait.
///
/// Each method has the answer of a world in which nobody is asked: nothing found, so that the
/// entry fails. `Ok(None)` is an answer ("there is none"); [`TemporaryFailure`] is the lack of one.
pub trait Callouts {
    /// `${text}` of a mapping, `$(text)` of a rewrite rule: the value of `key` in the general
    /// database. Keys are compared without regard to case.
    ///
    /// # Errors
    /// [`TemporaryFailure`] when the database cannot be read now.
    fn database(&self, key: &str) -> Result<Option<String>, TemporaryFailure> {
        let _ = key;
        Ok(None)
    }

    /// `$}domain,attribute{`: the first value of a domain's attribute, or of `_base_dn_`,
    /// `_domain_dn_`, `_domain_name_`, `_canonical_name_`.
    ///
    /// # Errors
    /// [`TemporaryFailure`] when the directory does not answer.
    fn domain_attribute(
        &self,
        domain: &str,
        attribute: &str,
    ) -> Result<Option<String>, TemporaryFailure> {
        let _ = (domain, attribute);
        Ok(None)
    }

    /// `$]url[`: the one result of a lookup URL; none or several are `Ok(None)`.
    ///
    /// # Errors
    /// [`TemporaryFailure`] when the server does not answer.
    fn url(&self, url: &str) -> Result<Option<String>, TemporaryFailure> {
        let _ = url;
        Ok(None)
    }

    /// `$[image,routine,argument]`: a routine of the site.
    ///
    /// # Errors
    /// [`TemporaryFailure`] when it could not be run now.
    fn routine(
        &self,
        image: &str,
        routine: &str,
        argument: &str,
    ) -> Result<Option<String>, TemporaryFailure> {
        let _ = (image, routine, argument);
        Ok(None)
    }

    /// `$#file…#`: counts the sequence file up by one and gives the number after that; nothing
    /// when the file cannot be opened.
    fn sequence(&self, file: &str) -> Option<u64> {
        let _ = file;
        None
    }

    /// `$?x?`: whether this is one of the `percent` percent of the cases.
    fn chance(&self, percent: f64) -> bool {
        let _ = percent;
        false
    }
}

/// A world in which nobody is asked: every lookup finds nothing, no chance comes up.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoCallouts;

impl Callouts for NoCallouts {}
