//! Real messages and files, small ones: where fuzzing starts.

use super::small_layout;
use crate::checkpoint::{self, TrainerState};
use crate::config::{Mode, RunConfig, WeightsFormat};
use crate::env::States;
use crate::optimizer::AdamState;
use crate::policy::Parameters;
use crate::protocol::example::{example_config, example_hello, example_trajectory};
use crate::protocol::relay::{Branch, FromRelay, Said, Shared, ToRelay, Told};
use crate::protocol::secure::{Challenge, Key, KeyRing, Knock, Refusal};
use crate::protocol::weights::Packed;
use crate::protocol::{ActorStatus, Blob, ToActor, ToLearner, Waiting, Welcome, encode, weights};
use crate::replay::encoding::encode_actions;
use crate::task::blocks::{BlockData, RNA1, Scores};
use crate::units::{Incarnation, PolicyVersion, Seq};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// An input of a target.
pub struct Seed {
    pub target: &'static str,
    pub name: String,
    pub bytes: Vec<u8>,
}

/// All that can be made; the files that once made something fail are not among them.
pub fn all() -> Vec<Seed> {
    let parts = [
        to_learner(),
        to_actor(),
        from_relay(),
        to_relay(),
        secure(),
        arrays(),
        checkpoint(),
        pickle(),
        text(),
    ];
    parts.into_iter().flatten().collect()
}

fn seed(target: &'static str, name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Seed {
    let (name, bytes) = (name.into(), bytes.into());
    Seed { target, name, bytes }
}

/// Messages, each after its length.
fn framed<T: Serialize>(messages: &[T]) -> Vec<u8> {
    messages.iter().map(encode).flat_map(frame).collect()
}

fn frame(message: Vec<u8>) -> Vec<u8> {
    let length = u16::try_from(message.len()).expect("seeds are small");
    [&length.to_be_bytes()[..], &message].concat()
}

fn to_learner() -> Vec<Seed> {
    let roll = |first: u64, round: u64| ToLearner::Trajectories {
        first: Seq(first),
        batch: (0..6).map(|index| example_trajectory(round, index)).collect(),
    };
    let have = |have| ToLearner::WantWeights { have };
    let status = ActorStatus {
        rolled: 6,
        waiting: Waiting::Work,
        ..ActorStatus::default()
    };
    let hello = || ToLearner::Hello(example_hello());
    let life = [
        ("hello", vec![hello()]),
        ("round", vec![roll(0, 0)]),
        ("again", vec![roll(0, 0), roll(0, 0), roll(6, 1)]),
        ("gap", vec![roll(3, 0), hello(), roll(0, 0)]),
        ("weights", vec![have(None), have(Some(PolicyVersion(0)))]),
        ("heartbeat", vec![ToLearner::Heartbeat(status); 2]),
        (
            "goodbye",
            vec![ToLearner::Goodbye, ToLearner::Heartbeat(status), hello()],
        ),
    ];
    let in_mode = |(name, messages): &(&str, Vec<_>), mode: u8| {
        let bytes = [&[mode][..], &framed(messages)].concat();
        seed(
            "to_learner",
            format!("{name}-{}", ["async", "sync"][usize::from(mode)]),
            bytes,
        )
    };
    life.iter()
        .flat_map(|life| [0, 1].map(|mode| in_mode(life, mode)))
        .collect()
}

fn welcome(mode: Mode) -> ToActor {
    ToActor::Welcome(Box::new(Welcome {
        run: "run".into(),
        config: serde_json::to_string(&example_config(mode)).expect("plain data"),
        attachment: Some(Blob(vec![1, 2, 3])),
        next: Seq(0),
        newest: Some(PolicyVersion(0)),
    }))
}

fn to_actor() -> Vec<Seed> {
    let newest = Some(PolicyVersion(1));
    let weights = |version| ToActor::Weights {
        version: PolicyVersion(version),
        progress: 0.5,
        weights: Packed::F32(Blob(vec![0; 8])),
    };
    let work = ToActor::Work {
        round: 0,
        indices: 0..4,
        version: PolicyVersion(0),
    };
    let ack = |next, resend| ToActor::Ack {
        next: Seq(next),
        resend,
        newest,
    };
    let heartbeat = || ToActor::Heartbeat { newest };
    let reason = "no".into();
    let refused = [ToActor::Refused { reason }];
    let sync = [welcome(Mode::Sync), weights(0), work, heartbeat(), ack(4, false)];
    let free = [
        welcome(Mode::Async),
        weights(0),
        ack(2, true),
        weights(1),
        ToActor::Stranger,
    ];
    let ends = [welcome(Mode::Async), ToActor::Farewell, ToActor::Finished];
    vec![
        seed("to_actor", "sync", framed(&sync)),
        seed("to_actor", "async", framed(&free)),
        seed("to_actor", "ends", framed(&ends)),
        seed("to_actor", "refused", framed(&refused)),
        seed("to_actor", "heartbeat", framed(&[heartbeat()])),
        seed("to_actor", "finished", framed(&[ToActor::Finished])),
    ]
}

fn from_relay() -> Vec<Seed> {
    let hello = || FromRelay::Hello {
        host: "node".into(),
        process: 1,
    };
    let said = |message: &ToLearner| Said::Message(Blob(encode(message)));
    let hi = || said(&ToLearner::Hello(example_hello()));
    let roll = said(&ToLearner::Trajectories {
        first: Seq(0),
        batch: (0..6).map(|index| example_trajectory(0, index)).collect(),
    });
    let bundle = |number, items| FromRelay::Bundle { number, items };
    let (one, two) = (Branch(1), Branch(2));
    let lives = [
        ("hello", vec![hello(), bundle(1, vec![])]),
        (
            "round",
            vec![hello(), bundle(1, vec![(one, hi()), (one, roll.clone())])],
        ),
        (
            "two",
            vec![hello(), bundle(1, vec![(one, hi()), (two, hi()), (one, roll)])],
        ),
        (
            "gone",
            vec![
                hello(),
                bundle(1, vec![(one, hi()), (one, Said::Gone), (two, Said::Gone)]),
            ],
        ),
        (
            "nonsense",
            vec![
                hello(),
                bundle(9, vec![(one, Said::Message(Blob(vec![1, 2])))]),
                hello(),
            ],
        ),
    ];
    let seeds = lives.into_iter().map(|(name, messages)| {
        let messages = messages.iter().flat_map(|message| frame(message.encode()));
        seed("from_relay", name, [1].into_iter().chain(messages).collect::<Vec<u8>>())
    });
    seeds.collect()
}

fn to_relay() -> Vec<Seed> {
    let (slot, stamp) = (0, 1);
    let bytes = encode(&welcome(Mode::Sync));
    let keep = || ToRelay::Keep {
        slot,
        stamp,
        bytes: Shared(Arc::new(bytes.clone())),
    };
    let kept = |stamp, length, rest| Told::Kept {
        slot,
        stamp,
        length,
        rest: Blob(rest),
    };
    let bundle = |items| ToRelay::Bundle { handled: 0, items };
    let (one, two) = (Branch(1), Branch(2));
    let whole = || kept(stamp, bytes.len() as u64, vec![]);
    let said = Told::Message(Blob(encode(&ToActor::Farewell)));
    let lives = [
        (
            "welcome",
            vec![keep(), bundle(vec![(one, whole()), (two, kept(stamp, 9, vec![1]))])],
        ),
        ("missing", vec![bundle(vec![(one, kept(7, 1, vec![]))]), keep()]),
        (
            "close",
            vec![bundle(vec![(one, said), (one, Told::Close), (one, Told::Close)])],
        ),
        ("finished", vec![ToRelay::Finished, bundle(vec![])]),
    ];
    let seeds = lives.into_iter().map(|(name, messages)| {
        let messages = messages.iter().flat_map(|message| frame(message.encode()));
        seed("to_relay", name, messages.collect::<Vec<u8>>())
    });
    seeds.collect()
}

fn secure() -> Vec<Seed> {
    let key = Key::new([1; 32]);
    let knock = Knock {
        key: key.id(),
        incarnation: Incarnation(9),
    };
    // Another connection than the targets': what was good there is worth nothing here.
    let challenge = Challenge::new("run", [7; 32]);
    let (first, proof) = challenge.respond(knock, &key);
    let (second, _) = challenge.accept(knock, &key, &first).expect("the key is the right one");
    let mut actor = proof.finish(&second).expect("the key is the right one");
    let sealed = actor.seal(&encode(&ToLearner::Goodbye));
    let keys = KeyRing::new(key).rotated(Key::new([2; 32]));
    vec![
        seed("secure", "knock", knock.encode()),
        seed("secure", "challenge", challenge.encode()),
        seed("secure", "handshake-1", first),
        seed("secure", "handshake-2", second),
        seed("secure", "sealed", sealed),
        seed("secure", "plain", encode(&ToLearner::Goodbye)),
        seed("secure", "refusal", Refusal::UnknownKey.encode()),
        seed("secure", "keys", keys.to_text().as_bytes()),
        seed("secure", "address-4", "tcp://127.0.0.1:5555"),
        seed("secure", "address-6", "tcp://[::1]:5555"),
        seed("secure", "address-name", "learner.example:5555"),
        seed("secure", "address-any", "tcp://*:0"),
    ]
}

fn arrays() -> Vec<Seed> {
    let parameters = Parameters::initial(small_layout().clone(), 7);
    let plain = weights::to_bytes(&parameters);
    let packed = |weights| match weights {
        Packed::Bf16(blob) | Packed::Zstd(blob) => blob.0,
        _ => Vec::new(),
    };
    let mut actions = Vec::new();
    encode_actions(&[0, 7, 127, 128, 300, 65_535], &mut actions);
    vec![
        seed("weights", "weights", plain.clone()),
        seed("weights", "short", [0; 7]),
        seed("weights", "bf16", packed(Packed::whole(WeightsFormat::Bf16, &plain))),
        seed("weights", "zstd", packed(Packed::whole(WeightsFormat::Zstd, &plain))),
        seed("replay_actions", "actions", actions),
        seed("replay_actions", "small", [0, 1, 2, 3, 4, 5, 6, 7]),
    ]
}

fn checkpoint() -> Vec<Seed> {
    let layout = small_layout();
    let parameters = Parameters::initial(layout.clone(), 7);
    let policy = checkpoint::encode_policy(&parameters, "example", PolicyVersion(3)).expect("finite");
    let optimizer = checkpoint::encode_optimizer(&AdamState::new(layout.len()), layout).expect("finite");
    let done = checkpoint::seal::seal(&[("policy.safetensors", vec![1, 2, 3])]);
    let trainer = serde_json::to_vec(&TrainerState::default()).expect("plain data");
    vec![
        seed("checkpoint", "policy", policy),
        seed("checkpoint", "optimizer", optimizer),
        seed("checkpoint", "done", done),
        seed("checkpoint", "trainer", trainer),
    ]
}

fn pickle() -> Vec<Seed> {
    let mut modes = States::new(RNA1.length);
    modes.push(&[1; 14]);
    let data = BlockData {
        files: BTreeMap::new(),
        blocks: Vec::new(),
        modes,
        scores: Scores::Elsewhere,
    };
    let score = crate::task::import::dict("numpy.core.multiarray", '<', &1.5f32.to_le_bytes());
    vec![
        seed("pickle", "rna1", data.write(&RNA1)),
        seed("pickle", "strings", b"\x80\x04]\x94(\x8c\x02ab\x94\x8c\x01c\x94e."),
        seed("pickle", "score", score),
        seed("pickle", "call", b"cos\nsystem\n(S'true'\ntR."),
    ]
}

fn text() -> Vec<Seed> {
    let config = |task| RunConfig::published(task).expect("a published task");
    let json = serde_json::to_string(&example_config(Mode::Sync)).expect("plain data");
    let sequence = "[task]\nname = \"sequence\"\nalphabet = \"ACGT\"\nlength = 8\nmin_length = 4\ntable = \"x.csv\"\n\n\
                    [task.reward]\ny_max = 1.0\n\n[train]\nmode = \"async\"\nbeta = { uniform = [1, 3] }\n";
    vec![
        seed("config", "tfbind8", config("tfbind8").to_toml()),
        seed("config", "gridworld", config("gridworld").to_toml()),
        seed("config", "short", "[task]\nname = \"tfbind8\"\n[train]\nrounds = 3\n"),
        seed("config", "sequence", sequence),
        seed("config", "run-json", json),
        seed("oracle_line", "scores", "{\"id\":7,\"y\":[0.5,null,NaN]}\n"),
        seed("oracle_line", "late", "{'id':6,y:[1,]}\n{\"y\":[1e9,-2,+.5],\"id\":7}"),
        seed("oracle_line", "log", "loading model …\n{\"id\":8,\"y\":[]}\n"),
        seed("table", "csv", "x,y\nACG,0.5\nTTT,1e-3\n"),
        seed("table", "lines", "{\"x\":\"ACG\",\"y\":0.5}\n{\"x\":\"AAA\",\"y\":2}\n"),
    ]
}
