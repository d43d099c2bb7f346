//! The letters of RNA and which of them pair. No energies.

/// A base, numbered as in the energy tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base {
    /// Adenine.
    A,
    /// Cytosine.
    C,
    /// Guanine.
    G,
    /// Uracil.
    U,
}

/// Every base, in the order of the energy tables.
pub const BASES: [Base; 4] = [Base::A, Base::C, Base::G, Base::U];

impl Base {
    /// The base of a letter, in either case; T (of DNA) means U.
    pub fn parse(letter: char) -> Option<Self> {
        match letter.to_ascii_uppercase() {
            'A' => Some(Self::A),
            'C' => Some(Self::C),
            'G' => Some(Self::G),
            'U' | 'T' => Some(Self::U),
            _ => None,
        }
    }

    /// The base it pairs with in a Watson-Crick helix.
    pub fn complement(self) -> Self {
        match self {
            Self::A => Self::U,
            Self::C => Self::G,
            Self::G => Self::C,
            Self::U => Self::A,
        }
    }
}

/// Two paired bases, numbered as in the energy tables; the first is on the strand that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pair {
    /// C with G.
    CG,
    /// G with C.
    GC,
    /// G with U.
    GU,
    /// U with G.
    UG,
    /// A with U.
    AU,
    /// U with A.
    UA,
}

impl Pair {
    /// The pair of two bases, if they pair.
    pub fn of(first: Base, second: Base) -> Option<Self> {
        match (first, second) {
            (Base::C, Base::G) => Some(Self::CG),
            (Base::G, Base::C) => Some(Self::GC),
            (Base::G, Base::U) => Some(Self::GU),
            (Base::U, Base::G) => Some(Self::UG),
            (Base::A, Base::U) => Some(Self::AU),
            (Base::U, Base::A) => Some(Self::UA),
            _ => None,
        }
    }

    /// True for the strong pairs, of C and G; all others weaken the end of a helix.
    pub fn is_strong(self) -> bool {
        matches!(self, Self::CG | Self::GC)
    }
}
