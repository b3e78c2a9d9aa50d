//! What a usual bot in containers costs in the same month.

use anyhow::Result;

use crate::cost::{Bill, GB, Line};
use crate::inputs::{Inputs, Month, number};

/// How the containers are put up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// One task, one database in one zone: a failure of it is an outage.
    Single,
    /// Two tasks, the database in two zones.
    Doubled,
}

/// The containers' bill for a month: the database is the larger one from a million messages on.
///
/// # Errors
/// An input is missing.
pub fn peer(inputs: &Inputs, month: &Month, peer: Peer) -> Result<Bill> {
    let of = |name: &str| number(&inputs.assumed.peer, name);
    let hours = of("hours")?;
    let copies = if peer == Peer::Single { 1.0 } else { 2.0 };
    let tasks = if peer == Peer::Single {
        1.0
    } else {
        of("tasks")?
    };
    let large = month.messages >= of("large_from_messages")?;
    let scale = if large { of("large_task_factor")? } else { 1.0 };
    let disk = if large {
        of("large_disk_gb")?
    } else {
        of("disk_gb")?
    };
    let database = if large {
        "postgres_medium"
    } else {
        "postgres_micro"
    };
    let log_gb = month.messages * of("log_bytes_a_message")? / GB;
    let region = &inputs.prices.region;
    let line = |name, quantity, price: &str| -> Result<Line> {
        let usd = region.cost(price, quantity)?;
        Ok(Line {
            name,
            quantity,
            usd,
        })
    };
    let lines = vec![
        line(
            "tasks, vCPU-hours",
            tasks * scale * of("vcpu")? * hours,
            "fargate_vcpu",
        )?,
        line(
            "tasks, GB-hours",
            tasks * scale * of("gb")? * hours,
            "fargate_gb",
        )?,
        line("load balancer, hours", hours, "load_balancer")?,
        line("load balancer, unit-hours", hours, "load_balancer_unit")?,
        line("addresses, hours", (tasks + 2.0) * hours, "public_address")?,
        line("Postgres, hours", copies * hours, database)?,
        line("Postgres, GB", copies * disk, "postgres_storage")?,
        line("Redis, hours", copies * hours, "redis_micro")?,
        line("alarms", of("alarms")?, "alarm")?,
        line("logs, GB", log_gb, "logs_ingested")?,
    ];
    Ok(Bill {
        lines,
        ..Bill::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inputs::root;

    #[test]
    fn two_of_each_cost_more_than_one_and_less_than_twice_as_much() {
        let inputs = Inputs::read(&root()).unwrap();
        let month = Month {
            name: String::new(),
            messages: 1_000.0,
            cold: 0.0,
        };
        let [one, two] =
            [Peer::Single, Peer::Doubled].map(|kind| peer(&inputs, &month, kind).unwrap().total());
        assert!(one < two && two < 2.0 * one, "{one} {two}");
    }
}
