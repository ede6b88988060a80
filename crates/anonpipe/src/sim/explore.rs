//! Runs a model under loom, and says how many executions it took: `scripts/test-interleavings
//! --nocapture` shows that.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use loom::model::Builder;

/// How often a thread may be interrupted in one execution, unless `LOOM_MAX_PREEMPTIONS` says
/// otherwise. Most races need two.
const PREEMPTIONS: usize = 3;

/// Explores every order of the model's steps with at most [`PREEMPTIONS`].
pub(crate) fn explore(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound.get_or_insert(PREEMPTIONS);
    run(builder, model);
}

/// Explores every order of the steps of a small model.
pub(crate) fn explore_without_bound(model: impl Fn() + Send + Sync + 'static) {
    run(Builder::new(), model);
}

fn run(builder: Builder, model: impl Fn() + Send + Sync + 'static) {
    let executions = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&executions);
    let started = std::time::Instant::now();
    let bound = builder.preemption_bound.map_or("all".to_owned(), |most| format!("at most {most} preemptions"));
    builder.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        // Made before any thread that uses them.
        let _drivers = (super::readiness::driver(), super::completion::driver());
        model();
        super::readiness::forget_driver();
        super::completion::forget_driver();
    });
    let name = std::thread::current().name().unwrap_or("a model").to_owned();
    eprintln!("{name}: {} executions, {bound}, {:.1?}", executions.load(Ordering::Relaxed), started.elapsed());
}
