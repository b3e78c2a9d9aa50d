//! The explorations: ours holds, each broken design falls, and nothing of the protocol is left unvisited.

use model::{Budget, Design, Protocol};
use stateright::{Checker, HasDiscoveries, Model};

/// Explores everything there is; gives the names of the properties that do not hold, with the shortest way there.
fn explored(protocol: &Protocol) -> Vec<(&'static str, Vec<String>)> {
    let checker = protocol
        .clone()
        .checker()
        .threads(2)
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    println!(
        "{:?}, {} messages: {} states",
        protocol.design,
        protocol.messages,
        checker.unique_state_count()
    );
    let discoveries = checker.discoveries();
    protocol
        .properties()
        .into_iter()
        .filter_map(|property| {
            let found = discoveries.get(property.name);
            match property.expectation {
                stateright::Expectation::Always => found.map(|path| {
                    let way = path.clone().into_actions();
                    (
                        property.name,
                        way.iter().map(|event| format!("{event:?}")).collect(),
                    )
                }),
                _ if found.is_none() => Some((property.name, vec!["never reached".to_owned()])),
                _ => None,
            }
        })
        .collect()
}

fn holds(messages: u8, budget: Budget) -> Protocol {
    let protocol = Protocol::new(Design::Ours, messages, budget);
    let broken = explored(&protocol);
    assert!(broken.is_empty(), "{broken:#?}");
    protocol
}

/// Workers that die, leases that end early, records that come twice.
const CRASHES: Budget = Budget {
    worker_crashes: 1,
    duplicates: 1,
    expiries: 1,
    ..Budget::NONE
};
/// Webhooks that die, and posts that come again.
const WEBHOOKS: Budget = Budget {
    webhook_crashes: 1,
    reposts: 1,
    worker_crashes: 1,
    expiries: 1,
    ..Budget::NONE
};
/// Models that fail, breakers that are open, answers that get lost.
const OUTSIDE: Budget = Budget {
    failures: 2,
    waits: 1,
    lost_sends: 1,
    lost_claims: 1,
    ..Budget::NONE
};
/// A person takes over, and a worker dies.
const PERSON: Budget = Budget {
    persons: 1,
    worker_crashes: 1,
    expiries: 1,
    ..Budget::NONE
};
/// A turn fails, is parked, and its dead letter is redriven, while the sweeper runs.
const REDRIVEN: Budget = Budget {
    failures: 2,
    redrives: 2,
    expiries: 1,
    sweeps: 1,
    ..Budget::NONE
};

#[test]
fn ours_holds_whatever_dies_and_visits_every_arm_and_every_row_of_the_crash_table() {
    let mut met = std::collections::BTreeSet::new();
    for budget in [CRASHES, WEBHOOKS, OUTSIDE, PERSON, REDRIVEN] {
        met.extend(holds(2, budget).met());
    }
    let arms = [
        "GoOn",
        "Ack(NeverStored)",
        "Ack(NothingPending)",
        "Ack(Superseded)",
        "Rearm(NotYetStored)",
        "Rearm(Busy)",
        "Rearm(Paused)",
        "Rearm(Changed)",
        "TakeOver",
    ];
    let rows = [
        "the claim",
        "deciding",
        "the takeover",
        "asking",
        "the draft",
        "the send",
        "the cover",
        "the commit",
        "the re-arm",
        "the ack",
    ]
    .map(|step| format!("died before {step}"));
    let wanted = arms.into_iter().map(str::to_owned).chain(rows);
    let missed: Vec<String> = wanted.filter(|one| !met.contains(one)).collect();
    assert!(missed.is_empty(), "{missed:?} of {met:?}");
}

#[test]
fn ours_holds_for_three_messages() {
    holds(
        3,
        Budget {
            worker_crashes: 1,
            ..Budget::NONE
        },
    );
}

#[test]
fn every_broken_design_is_refuted() {
    for design in Design::BROKEN {
        let found = [CRASHES, WEBHOOKS, PERSON].into_iter().find_map(|budget| {
            explored(&Protocol::new(design, 2, budget))
                .into_iter()
                .next()
        });
        match found {
            Some((property, way)) => println!("{design:?} breaks {property:?}: {way:?}"),
            None => panic!("{design:?} was not refuted"),
        }
    }
}
