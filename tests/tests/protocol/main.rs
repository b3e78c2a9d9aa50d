//! The protocol, from the webhook to the reply, on the embedded world and a paused clock.

mod burst;
mod crash;
mod gateway_fails;
mod history;
mod kept;
mod model_fails;
mod records;
mod twins;
mod webhook;
