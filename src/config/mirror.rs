//! How the structs that mirror a configuration file are written.

/// Declares structs that mirror the file: public optional fields with the names of the resolved ones.
macro_rules! mirror {
    ($($(#[$doc:meta])* $name:ident { $($(#[$attribute:meta])* $field:ident: $kind:ty,)* })*) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
        #[serde(default)]
        #[allow(missing_docs, reason = "a field means what the resolved field of the same name means")]
        pub struct $name { $($(#[$attribute])* pub $field: $kind,)* }
    )* };
}

pub(super) use mirror;
