//! A thread that gets the processor and the disk when nobody else wants them.

use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy,
    thread_native_id, thread_schedule_policy,
};

/// Linux's `SCHED_IDLE`. The kernel derives the class of disk requests from it: idle, too (`ioprio_set(2)`).
const IDLE: ThreadSchedulePolicy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);

/// Makes the calling thread such a thread. There is no way back without privileges. Where the system refuses, that is logged
/// and the thread goes on as it is.
pub(super) fn enter() {
    let set = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, IDLE);
    // Setting the nice value, which comes second, may be refused where the first was not; idle threads have none.
    if thread_schedule_policy().is_ok_and(|policy| policy == IDLE) {
        return;
    }
    let why = set.err().map_or_else(String::new, |error| format!(": {error:?}"));
    log::warn!(
        "indexing: the system refuses idle priority (SCHED_IDLE){why}; indexing competes with extractions"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_calling_thread_becomes_idle() {
        let became = std::thread::spawn(|| {
            enter();
            thread_schedule_policy().unwrap()
        });
        assert_eq!(became.join().unwrap(), IDLE);
        assert_ne!(thread_schedule_policy().unwrap(), IDLE);
    }
}
