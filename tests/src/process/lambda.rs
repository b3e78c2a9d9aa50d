//! `cargo lambda watch`: the functions of the workspace as processes, behind Lambda's invoke address.
