//! How numbers get their names: units as suffixes, `_total` for what only grows, a sentence of help for each.
//!
//! What does not apply (yet) is NaN, not 0: a loss of 0 would be news.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};
use serde::Serialize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

pub use prometheus_client::metrics::counter::Counter;
pub use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};

/// A number that goes up and down.
pub type Gauge = prometheus_client::metrics::gauge::Gauge<f64, AtomicU64>;

/// One label. Its values must be few: the cases of an enum, never a name that somebody chooses.
pub type Label = [(&'static str, String); 1];

/// Gauges told apart by a label.
pub type Gauges = Family<Label, Gauge>;

/// Counters told apart by a label.
pub type Counters = Family<Label, Counter>;

/// The registry of a program, which knows its version; all names begin with `thermoflow`.
pub fn registry(program: &'static str, version: &'static str) -> Registry {
    let mut registry = Registry::with_prefix("thermoflow");
    info(
        &mut registry,
        "build",
        "The program and its version, always 1",
        [("program", program.into()), ("version", version.into())],
    );
    registry
}

/// Facts as labels of a number that is always 1, by the name `<name>_info`.
pub fn info<const N: usize>(registry: &mut Registry, name: &str, help: &str, facts: [(&'static str, String); N]) {
    let family = Family::<[(&'static str, String); N], Gauge>::default();
    family.get_or_create(&facts).set(1.0);
    registry.register(format!("{name}_info"), help, family);
}

/// Registers a number that goes up and down, NaN at first; `unit` ends its name.
pub fn gauge(registry: &mut Registry, name: &str, unit: Option<Unit>, help: &str) -> Gauge {
    let gauge = Gauge::default();
    gauge.set(f64::NAN);
    match unit {
        Some(unit) => registry.register_with_unit(name, help, unit, gauge.clone()),
        None => registry.register(name, help, gauge.clone()),
    }
    gauge
}

/// Registers a number that only grows, 0 at first; its name ends in the unit, then `_total`.
pub fn counter(registry: &mut Registry, name: &str, unit: Option<Unit>, help: &str) -> Counter {
    let counter = Counter::default();
    match unit {
        Some(unit) => registry.register_with_unit(name, help, unit, counter.clone()),
        None => registry.register(name, help, counter.clone()),
    }
    counter
}

/// Registers gauges told apart by a label.
pub fn gauges(registry: &mut Registry, name: &str, help: &str) -> Gauges {
    let family = Gauges::default();
    registry.register(name, help, family.clone());
    family
}

/// Registers counters told apart by a label.
pub fn counters(registry: &mut Registry, name: &str, help: &str) -> Counters {
    let family = Counters::default();
    registry.register(name, help, family.clone());
    family
}

/// Takes over a count that somebody else keeps. It starts at 0 with the program, like the counter.
pub fn set(counter: &Counter, count: u64) {
    counter.inner().store(count, Ordering::Relaxed);
}

/// Fill and capacity of bounded channels.
#[derive(Debug, Clone)]
pub struct Queues {
    length: Gauges,
    capacity: Gauges,
}

impl Queues {
    /// Registers them.
    pub fn new(registry: &mut Registry) -> Self {
        Self {
            length: gauges(registry, "queue_length", "Messages that wait in a bounded queue"),
            capacity: gauges(
                registry,
                "queue_capacity",
                "Messages that a bounded queue holds at most",
            ),
        }
    }

    /// How many of at most `capacity` messages wait in `queue`.
    pub fn set(&self, queue: &'static str, length: usize, capacity: usize) {
        let label = [("queue", queue.to_string())];
        self.length.get_or_create(&label).set(length as f64);
        self.capacity.get_or_create(&label).set(capacity as f64);
    }
}

/// Messages, and the bytes in them; what sealing and frames add is not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// How many.
    pub messages: u64,
    /// How many bytes in all.
    pub bytes: u64,
}

impl Count {
    /// One more, of so many bytes.
    pub fn add(&mut self, bytes: usize) {
        self.messages += 1;
        self.bytes += bytes as u64;
    }
}

/// What passed over links.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// From peers.
    pub received: Count,
    /// To peers.
    pub sent: Count,
}

/// Traffic as numbers, by direction: `in` or `out`.
#[derive(Debug, Clone)]
pub struct Links {
    messages: Counters,
    bytes: Counters,
}

impl Links {
    /// Registers them by names that begin like this.
    pub fn new(registry: &mut Registry, name: &str) -> Self {
        Self {
            messages: counters(
                registry,
                &format!("{name}_messages"),
                "Messages over links, by direction",
            ),
            bytes: counters(
                registry,
                &format!("{name}_bytes"),
                "Bytes of messages over links, by direction",
            ),
        }
    }

    /// What is shown.
    pub fn get(&self) -> Traffic {
        let count = |direction: &str| {
            let label = [("direction", direction.to_owned())];
            let messages = self.messages.get_or_create(&label).get();
            let bytes = self.bytes.get_or_create(&label).get();
            Count { messages, bytes }
        };
        Traffic {
            received: count("in"),
            sent: count("out"),
        }
    }

    /// Takes over what passed.
    pub fn set(&self, traffic: Traffic) {
        for (direction, count) in [("in", traffic.received), ("out", traffic.sent)] {
            let label = [("direction", direction.to_owned())];
            set(&self.messages.get_or_create(&label), count.messages);
            set(&self.bytes.get_or_create(&label), count.bytes);
        }
    }
}

/// Sets a counter for each number of a plain struct but some, by the name of its field.
///
/// # Panics
/// For what is not plain data.
pub fn set_each(counters: &Counters, label: &'static str, numbers: &impl Serialize, but: &[&str]) {
    let numbers = serde_json::to_value(numbers).expect("counts are plain data");
    for (name, count) in numbers.as_object().into_iter().flatten() {
        if let Some(count) = count.as_u64().filter(|_| !but.contains(&name.as_str())) {
            set(&counters.get_or_create(&[(label, name.clone())]), count);
        }
    }
}

/// Shows which of the cases of `label` holds: it is 1, all others are 0.
pub fn set_case(gauges: &Gauges, label: &'static str, cases: &[&'static str], holds: &str) {
    for case in cases {
        let value = f64::from(u8::from(*case == holds));
        gauges.get_or_create(&[(label, (*case).into())]).set(value);
    }
}

/// Space on the disk of a directory, looked up whenever somebody asks.
#[derive(Debug)]
pub struct Disk {
    name: &'static str,
    directory: PathBuf,
}

impl Disk {
    /// Registers `<name>_free_bytes` and `<name>_size_bytes` of the file system that holds `directory`.
    pub fn register(registry: &mut Registry, name: &'static str, directory: PathBuf) {
        registry.register_collector(Box::new(Self { name, directory }));
    }
}

impl Collector for Disk {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        let (free, size) = (fs4::available_space(&self.directory), fs4::total_space(&self.directory));
        let sizes = [
            (
                "free",
                "Bytes that may still be written to the disk of the directory",
                free,
            ),
            ("size", "Size of the disk of the directory", size),
        ];
        for (what, help, bytes) in sizes {
            // A disk that cannot be asked is one to worry about as well.
            let gauge = ConstGauge::new(bytes.map_or(f64::NAN, |bytes| bytes as f64));
            let name = format!("{}_{what}", self.name);
            let metric = encoder.encode_descriptor(&name, help, Some(&Unit::Bytes), MetricType::Gauge)?;
            gauge.encode(metric)?;
        }
        Ok(())
    }
}
