//! The contract, rule by rule: one body for each rule, run on every backend that this system has.
//!
//! To add a rule, write `pub(crate) fn my_rule(backend: Backend)` in the file of its topic, with a
//! comment that says why it must hold. Then add its name to that topic in the table below; the
//! compiler reports a rule that the table lacks as unused.
//!
//! `owner/repository#number` in a comment is a public report of a defect that the rule prevents
//! here.
//!
//! A test is called `BACKEND::TOPIC::RULE`, and the backends are these:
//!
//! - `unix`: pipes and socket pairs;
//! - `windows_unnamed` and `windows_named`: the pairs that the library makes on Windows;
//! - `windows_adopted`: handles that others may have as well, so that operations go through events;
//!   only the topics about operations and calls run there;
//! - `windows_only`: what Windows itself must decide, because Wine answers otherwise. Under Wine
//!   these rules say so and check what can be seen.
//!
//! A rule that hangs is named, and ends the process. The rules of a topic that is marked `alone`
//! run in a process of their own, where no other rule's threads and handles disturb the count.

#![allow(missing_docs, reason = "a rule's name says what it is about")]
#![allow(clippy::cast_possible_truncation, reason = "the numbers are the tests' own, and small")]

// What the rules use.
mod backend;
mod child_programs;
#[cfg(all(feature = "tokio", feature = "futures-io"))]
mod executors;
mod harness;
mod leftovers;
#[cfg(all(feature = "tokio", feature = "futures-io"))]
mod manual_polls;
mod steps;
mod system;
mod test_data;
mod transfer_ways;

// What the compiler checks.
mod trait_impls;

// The topics of every system.
mod buffers;
#[cfg(feature = "bytes")]
mod bytes_buffers;
mod cancel_and_timeout;
mod children;
mod conversion;
mod creation;
mod crowds;
mod drops;
mod eof;
mod errors;
mod integrity;
mod large_writes;
mod memory;
mod operations;
mod queue;
mod resources;
#[path = "../starts/mod.rs"]
mod starts;
mod std_pipe;
mod wakers;

// Those about tasks, which use the async traits.
#[cfg(all(feature = "tokio", feature = "futures-io"))]
mod callers_driver;
#[cfg(all(feature = "tokio", feature = "futures-io"))]
mod children_and_tasks;
#[cfg(all(feature = "tokio", feature = "futures-io"))]
mod executor_changes;
#[cfg(all(feature = "tokio", feature = "futures-io"))]
mod runtimes;
#[cfg(all(feature = "tokio", feature = "futures-io"))]
mod task_clones;
#[cfg(all(feature = "tokio", feature = "futures-io"))]
mod task_fairness;
#[cfg(all(feature = "tokio", feature = "futures-io"))]
mod task_flushes;
#[cfg(all(feature = "tokio", feature = "futures-io"))]
mod task_handovers;
#[cfg(all(feature = "tokio", feature = "futures-io"))]
mod task_wakers;
#[cfg(all(feature = "tokio", feature = "futures-io"))]
mod task_writes;
#[cfg(all(feature = "tokio", feature = "futures-io"))]
mod tasks;

// Those of Unix.
#[cfg(unix)]
mod descriptor_limit;
#[cfg(unix)]
mod forking_parents;
#[cfg(unix)]
mod forks;
#[cfg(target_os = "linux")]
mod linux_pipes;
#[cfg(unix)]
mod poller_registrations;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod refusals;
#[cfg(unix)]
mod shared_descriptions;
#[cfg(unix)]
mod signals;
#[cfg(unix)]
mod socket_pairs;
#[cfg(unix)]
mod unix_children;

// Those of Windows.
#[cfg(windows)]
mod create_pipe_functions;
#[cfg(windows)]
mod driver_thread;
#[cfg(windows)]
mod empty_messages;
#[cfg(windows)]
mod npfs;
#[cfg(windows)]
#[path = "refusals_on_windows.rs"]
mod refusals;
#[cfg(windows)]
mod shared_file_objects;
#[cfg(windows)]
mod where_wine_differs;
#[cfg(windows)]
mod windows_children;

use backend::Backend;

/// Makes the tests of one backend from topics and their rules.
macro_rules! run_on {
    ($module:ident = $backend:ident;
        $($(#[$topic_if:meta])* $topic:ident $how:ident { $($(#[$rule_if:meta])* $rule:ident),+ $(,)? })+) => {
        mod $module {$(
            $(#[$topic_if])*
            mod $topic {$(
                $(#[$rule_if])*
                #[test]
                fn $rule() {
                    let name = concat!(stringify!($module), "::", stringify!($topic), "::", stringify!($rule));
                    crate::harness::$how(name, || crate::$topic::$rule(crate::Backend::$backend));
                }
            )+}
        )+}
    };
}

/// Makes the tests of every backend.
///
/// `calls` are the topics about operations and calls, which run on adopted handles, too; `pairs`
/// are all others that every system has.
macro_rules! rules {
    (calls { $($calls:tt)* } pairs { $($pairs:tt)* } unix { $($unix:tt)* } windows { $($windows:tt)* }
     windows_only { $($windows_only:tt)* }) => {
        #[cfg(unix)]
        run_on!(unix = Unix; $($calls)* $($pairs)* $($unix)*);
        #[cfg(windows)]
        run_on!(windows_unnamed = Unnamed; $($calls)* $($pairs)* $($windows)*);
        #[cfg(windows)]
        run_on!(windows_named = Named; $($calls)* $($pairs)* $($windows)*);
        #[cfg(windows)]
        run_on!(windows_adopted = Adopted; $($calls)*);
        #[cfg(windows)]
        run_on!(windows_only = Unnamed; $($windows_only)*);
    };
}

rules! {
    calls {
        integrity shared {
            random_chunks_arrive_intact,
            every_way_of_reading_and_writing_mixed,
            both_directions_at_once,
            blocking_ends_carry_the_same,
            a_capacity_of_one_byte_carries_everything,
            a_peer_that_reads_a_byte_at_a_time_gets_everything,
            operations_of_several_writers_never_interleave,
            vectored_io_keeps_the_order,
            bytes_available_counts,
        }
        eof shared {
            read_after_drain_is_zero_again_and_again,
            data_queued_at_close_stays_readable,
            a_pending_read_sees_the_end,
            late_writes_are_broken_pipes,
            pending_writes_become_broken_pipes,
            a_write_beyond_the_capacity_waits_and_completes,
            the_reader_closes_while_a_write_waits,
            a_clone_keeps_the_pipe_open,
            zero_length_writes_never_look_like_the_end,
            empty_buffers_do_nothing,
            unread_bytes_do_not_spoil_the_end,
            shutdown_write_as_the_system_can,
        }
        operations shared {
            under_way_without_a_poll,
            wait_timeout_leaves_it_running,
            wait_any_names_the_first,
            await_on_a_hand_written_executor,
            an_outcome_is_taken_once,
            debug_texts_name_what_they_are_of,
            many_threads_many_operations,
            outliving_the_thread_that_submitted,
        }
        queue shared {
            a_cancelled_operation_lets_a_blocked_thread_go_on,
            a_read_that_timed_out_lets_the_next_go_on,
            a_timeout_counts_while_others_are_before,
            a_write_that_timed_out_lets_the_next_go_on,
            a_cancelled_write_lets_the_next_go_on,
            the_two_directions_do_not_hold_each_other_up,
            a_busy_pipe_does_not_starve_a_quiet_one,
            a_hundred_reads_are_filled_in_order,
            reads_of_all_kinds_share_one_queue,
            a_hundred_writes_go_out_in_order,
            a_pipe_that_nobody_reads_does_not_delay_the_end_of_another,
        }
        large_writes shared {
            a_large_write_comes_whole_and_in_order,
            what_is_behind_a_large_write_comes_behind_it,
            large_writes_of_several_threads_do_not_mix,
            a_cancelled_large_write_says_what_went,
            cancel_all_ends_large_writes_and_what_waits_behind,
            what_waits_behind_a_large_write_is_cancelled_at_once,
            a_large_write_timeout_says_what_went,
            a_dropped_large_write_leaves_the_rest,
            detached_large_writes_outlive_their_thread_and_their_end,
            a_reader_that_leaves_a_large_write,
            large_writes_in_both_directions,
            a_blocking_end_writes_it_in_one_call,
        }
        cancel_and_timeout shared {
            a_cancelled_read_takes_nothing,
            a_cancelled_read_leaves_the_others_in_order,
            a_cancel_that_came_too_late_changes_nothing,
            a_read_timeout_takes_nothing,
            a_write_timeout_says_what_went,
            a_cancelled_write_says_what_went,
            extreme_timeouts,
            cancels_racing_with_data_lose_nothing,
            timeouts_racing_with_data_lose_nothing,
            cancel_all_wakes_a_thread_that_reads_a_clone,
            cancel_all_wakes_a_thread_that_writes,
            cancel_all_ends_every_operation,
            cancel_all_of_a_half_spares_the_other,
            an_abort_is_no_timeout,
        }
        drops shared {
            a_dropped_end_cancels_its_reads,
            a_clone_keeps_reads_alive,
            a_dropped_operation_leaves_the_rest,
            dropping_never_blocks,
            accepted_writes_arrive_after_the_end_is_gone,
            detached_writes_outlive_their_thread,
            a_detached_read_takes_its_bytes,
            the_last_reading_half_cancels,
            dropping_in_flight_in_every_order,
            dropped_operations_racing_with_data_keep_the_order,
            many_operations_are_dropped_in_no_time,
            our_own_close_is_no_end_of_file,
            nothing_writes_to_a_dropped_reads_memory_after_a_conversion,
        }
        buffers shared {
            the_buffer_comes_back_as_it_was,
            a_foreign_buffer_serves_one_operation,
            #[cfg(target_pointer_width = "64")]
            a_length_beyond_4_gib_is_not_cut_short,
        }
        #[cfg(feature = "bytes")]
        bytes_buffers shared {
            a_buffer_whose_drop_panics_harms_nobody_else,
            bytes_go_out_and_bytes_mut_come_in,
        }
        wakers shared {
            await_with_another_waker_each_time,
            a_panicking_waker_harms_nobody_else,
            a_waker_may_submit_and_wait,
            a_waker_may_convert_the_end,
            a_waker_may_drop_everything,
            wait_any_takes_no_waker_away,
            two_threads_wait_for_the_same_operation,
            a_dropped_operation_wakes_nobody,
            a_waker_may_use_its_end_wherever_it_is_called,
            #[cfg(windows)]
            a_waker_may_write_behind_a_large_write,
        }
        #[cfg(all(feature = "tokio", feature = "futures-io"))]
        tasks shared {
            random_chunks_on_every_executor,
            a_ping_pong_on_every_executor,
            the_peer_is_a_thread_that_blocks,
            nothing_is_read_ahead,
            a_dropped_read_consumed_nothing,
            what_was_submitted_before_goes_first,
            empty_buffers_do_nothing,
            cancel_all_ends_a_tasks_read,
            a_cancel_between_two_polls_is_not_lost,
            the_first_poll_sees_the_end_of_file,
            many_empty_slices_do_not_look_like_the_end,
            losing_a_race_loses_nothing,
            a_tasks_abort_is_no_timeout,
            our_own_close_does_not_end_a_tasks_read,
            #[cfg(target_pointer_width = "64")]
            a_tasks_length_beyond_4_gib_is_not_cut_short,
        }
        #[cfg(all(feature = "tokio", feature = "futures-io"))]
        task_writes shared {
            writes_wait_their_turn,
            writes_wait_behind_a_large_write,
            what_is_accepted_is_bounded,
            vectored_writes_go_together,
            late_writes_are_broken_pipes,
            closing_a_writer_is_the_end_of_file,
            closing_a_duplex_end_as_the_system_can,
            the_halves_of_a_closed_duplex_end_keep_its_pipe,
            halves_keep_what_was_accepted,
            a_conversion_racing_with_a_failure_loses_nothing,
        }
        #[cfg(all(feature = "tokio", feature = "futures-io"))]
        task_flushes shared {
            an_accepted_writes_failure_is_reported,
            an_accepted_writes_failure_follows_the_end,
            a_flush_neither_waits_for_the_peer_nor_fails_without_it,
        }
        #[cfg(all(feature = "tokio", feature = "futures-io"))]
        task_clones shared {
            several_tasks_read_clones,
            two_halves_flood_both_ways,
            a_busy_half_does_not_wake_the_other,
            reads_racing_with_data_and_clones_lose_nothing,
        }
        #[cfg(all(feature = "tokio", feature = "futures-io"))]
        task_fairness shared {
            quiet_pipes_do_not_delay_the_end_of_another,
            a_busy_task_lets_the_runtime_go_on,
            a_busy_task_lets_the_others_run,
        }
        memory alone {
            operations_keep_nothing,
            pairs_keep_nothing,
            #[cfg(all(feature = "tokio", feature = "futures-io"))]
            tasks_keep_nothing,
            what_is_kept_is_noticed,
        }
    }
    pairs {
        creation shared {
            every_inbound_pair,
            every_outbound_pair,
            every_duplex_pair,
            default_pairs_are_overlapped_and_private,
            a_capacity_of_zero_is_refused,
            a_capacity_beyond_the_system_is_refused,
            wrong_direction_is_refused_by_the_system,
            a_name_only_where_asked_for,
            debug_says_what_it_is,
        }
        conversion shared {
            there_and_back_again,
            refused_with_operations_in_flight,
            refused_while_clones_live,
            after_operations_that_are_complete,
            adopting_tells_the_mode,
            adopting_refuses_the_wrong_direction,
            adopts_the_systems_own_pipe,
            what_is_no_pipe_is_refused,
            halves_of_different_ends_do_not_join,
            operations_survive_split_and_unsplit,
            clones_of_blocking_ends_are_private,
            a_blocking_end_comes_out_raw,
            a_conversion_frees_nothing_that_the_system_uses,
        }
        errors shared {
            texts_name_the_action_and_the_end,
            a_write_after_an_own_shutdown_says_so,
            empty_writes_do_nothing_whoever_is_gone,
            a_write_of_nothing_fails_where_writing_was_ended_here,
            the_systems_error_is_the_source,
        }
        std_pipe shared {
            answers_as_the_systems_own_pipe_does,
        }
        #[cfg(all(feature = "tokio", feature = "futures-io"))]
        task_wakers shared {
            a_tasks_waker_may_use_its_end_wherever_it_is_called,
            a_tasks_waker_may_convert_the_end,
            the_waker_of_whoever_had_it_before_may_own_a_handle,
        }
        #[cfg(all(feature = "tokio", feature = "futures-io"))]
        task_handovers shared {
            an_end_that_is_handed_on_loses_no_bytes,
            an_end_that_is_handed_on_loses_no_writes,
            tasks_that_share_an_end_lose_no_bytes,
            a_task_that_waits_to_read_keeps_no_end_from_being_converted,
        }
        #[cfg(all(feature = "tokio", feature = "futures-io"))]
        executor_changes shared {
            an_end_moves_between_executors,
            a_read_moves_between_executors,
            another_executor_inside_a_tokio_task,
            an_operation_moves_between_executors,
        }
        #[cfg(all(feature = "tokio", feature = "futures-io"))]
        callers_driver alone {
            no_thread_of_ours,
            a_turn_ends_when_its_time_is_up_or_somebody_says_so,
            waiting_for_an_operation_turns,
            an_end_is_attached_once_and_in_time,
            a_dropped_driver_leaves_its_ends_in_good_hands,
            two_threads_turn_one_driver,
            a_busy_future_starves_nobody,
            a_wait_of_no_time_turns_once,
            blocking_calls_need_no_driver,
            a_write_behind_a_large_one_turns_the_driver,
            a_loop_of_ours_inside_a_runtime,
            a_loop_of_ours_inside_a_task,
            an_end_that_waited_is_not_attached,
        }
        #[cfg(all(feature = "tokio", feature = "futures-io"))]
        runtimes alone {
            a_runtime_ends_though_its_pipes_are_quiet,
            an_end_outlives_its_runtimes,
            a_task_outlives_the_runtime_whose_reactor_it_waits_in,
            a_runtime_shuts_down_with_a_read_waiting,
            operations_outlive_a_runtime,
            ends_are_dropped_outside_their_runtime,
            a_runtime_without_its_reactor,
        }
        resources alone {
            ten_thousand_pairs_leave_nothing,
            what_was_in_flight_leaves_nothing,
            sixty_four_pairs_from_eight_threads,
            no_thread_before_the_first_operation_and_one_after_a_thousand,
            blocking_calls_make_no_thread,
        }
        crowds alone {
            ten_thousand_idle_pairs_do_not_delay_sixty_four,
        }
        leftovers alone {
            what_is_left_is_named,
        }
        children alone {
            a_child_copies_megabytes,
            a_child_copies_one_large_write,
            a_child_answers_line_by_line,
            a_child_on_a_duplex_pipe,
            a_child_that_does_not_read,
            a_child_of_somebody_else_does_not_hold_the_pipe,
            children_started_at_once_do_not_hold_each_others_pipes,
            an_inheritable_end_reaches_a_child_by_number,
            a_private_end_does_not_reach_a_child,
            nothing_is_inherited_but_what_was_asked_for,
            an_end_in_use_by_a_child_ends_with_it,
            a_child_killed_in_mid_write_leaves_what_it_wrote,
            an_unrelated_spawn_does_not_delay_the_end,
            a_childs_handles_wait_whatever_ours_do,
        }
        #[cfg(all(feature = "tokio", feature = "futures-io"))]
        children_and_tasks alone {
            a_childs_handles_wait_while_tasks_use_ours,
            a_child_gets_what_tasks_have_left,
        }
    }
    unix {
        signals alone {
            writing_to_nobody_raises_no_signal,
            a_pending_signal_stays_pending,
            a_childs_duplex_end_raises_the_signal,
            an_interrupted_call_goes_on,
            #[cfg(target_os = "linux")]
            the_drivers_thread_blocks_no_faults,
        }
        descriptor_limit alone {
            failing_half_way_leaks_nothing,
            every_step_without_descriptors_fails_and_recovers,
            operations_without_descriptors_fail_and_recover,
            a_write_without_descriptors_says_what_went,
        }
        #[cfg(all(target_os = "linux", target_pointer_width = "64"))]
        refusals alone {
            every_call_refused_in_turn,
            a_driver_without_a_thread_says_so,
        }
        socket_pairs alone {
            a_duplex_end_dropped_in_mid_write_breaks_the_peers_writes,
            a_writer_over_a_socket_leaves_the_reading_alone,
            a_socket_without_a_peer_is_refused,
            #[cfg(all(feature = "tokio", feature = "futures-io"))]
            an_own_shutdown_ends_a_tasks_write,
        }
        poller_registrations alone {
            a_reader_that_closes_as_a_writer_begins_to_wait_is_heard,
            #[cfg(all(feature = "tokio", feature = "futures-io"))]
            registrations_that_come_and_go_are_heard,
        }
        shared_descriptions alone {
            a_sharer_who_makes_it_block_blocks_nobody,
            a_blocking_end_that_a_sharer_made_nonblocking_waits,
            a_blocking_end_whose_flag_comes_and_goes_waits,
            #[cfg(target_os = "linux")]
            a_sharer_who_splices_as_well_blocks_nobody,
            #[cfg(target_os = "linux")]
            an_adopted_fifo_changes_nothing_for_others,
        }
        forks alone {
            an_operation_that_came_along_is_waited_for_in_no_time,
            a_fork_amid_operations_hangs_nowhere,
            a_fork_amid_a_write_hangs_no_wait,
            an_end_that_came_along_is_refused_or_converted,
            a_driver_that_came_along_hangs_nowhere,
            an_end_dropped_in_a_child_is_closed_there,
            a_future_that_forks_goes_on,
            a_fork_amid_operations_can_close_its_ends,
        }
        forking_parents alone {
            a_fork_leaves_the_parents_operations_alone,
            a_forked_copy_dropped_in_mid_write_leaves_the_parent_reading,
            #[cfg(all(feature = "tokio", feature = "futures-io"))]
            a_fork_leaves_the_parents_tasks_alone,
        }
        unix_children alone {
            shell_sort_and_python,
            a_child_gets_blocking_pipes,
            an_overlapped_end_as_stdio_only_by_name,
            a_child_can_reopen_its_standard_handles,
        }
        #[cfg(target_os = "linux")]
        linux_pipes alone {
            a_writer_of_packets_is_refused,
            a_fifo_before_its_first_writer_is_not_at_its_end,
            a_fifo_whose_first_writer_is_gone_at_once_loses_nothing,
            a_blocking_end_waits_for_the_first_writer,
            a_pipe_that_is_opened_anew_has_its_end,
            #[cfg(all(feature = "tokio", feature = "futures-io"))]
            a_task_waits_for_the_first_writer,
        }
    }
    windows {
        npfs shared {
            writes_after_a_disconnect_are_broken_pipes,
            a_second_client_is_impossible,
            a_capacity_is_kept_to_the_byte,
            a_large_write_goes_in_pieces,
            a_pair_is_a_byte_pipe,
            a_dropped_duplex_end_stays_open_for_its_writes,
            a_read_whose_thread_ends_is_told_what_became_of_it,
            a_cancelled_blocking_call_is_no_timeout,
            pipes_that_cannot_be_adopted,
            a_named_pipe_made_elsewhere,
            a_security_descriptor_is_passed_on,
            auto_takes_what_there_is,
        }
        shared_file_objects shared {
            adopting_changes_nothing_that_others_share,
            who_waits_for_the_file_object_is_told,
            a_bound_end_is_not_converted,
            a_bound_end_is_converted_for_who_insists,
            operations_outlive_their_thread,
            operations_on_a_foreign_port_outlive_their_thread,
            detached_writes_outlive_everything,
            a_foreign_packet_is_ignored,
            a_handle_bound_to_another_port_works,
        }
        driver_thread alone {
            a_cancel_before_it_was_issued_counts,
            a_thread_that_blocks_keeps_its_place,
            waiting_for_ones_turn_ends,
        }
        refusals alone {
            every_call_refused_in_turn,
            a_lost_notice_is_made_up_for,
        }
        empty_messages shared {
            an_empty_message_is_not_the_end,
            a_large_message_is_one_message,
            no_cancel_is_lost_among_empty_messages,
            no_dropped_end_is_missed_among_empty_messages,
            #[cfg(all(feature = "tokio", feature = "futures-io"))]
            a_task_passes_over_empty_messages,
        }
        create_pipe_functions shared {
            the_questions_pair,
            each_direction_holds_what_is_documented,
            the_handles_are_bound_to_no_port,
            the_server_can_be_waited_on,
            create_pipe_ex_in_every_mode,
            create_pipe_ex_answers_as_create_pipe,
            bad_descriptors_are_refused,
        }
        windows_children alone {
            the_command_interpreter,
            a_program_on_the_c_runtime,
            a_program_that_nobody_here_wrote,
            a_child_may_question_its_handles,
        }
    }
    windows_only {
        where_wine_differs alone {
            a_blocked_read_holds_up_a_write_on_a_synchronous_handle,
            the_name_cannot_be_claimed_by_another,
            a_descriptor_that_admits_nobody_makes_no_pair,
            the_server_cannot_act_for_its_client,
            a_restricted_thread_needs_a_descriptor_that_admits_it,
            the_threads_token_gives_a_pair_its_list,
            the_threads_user_is_admitted_to_a_named_pair,
            a_process_with_few_rights_makes_pairs,
            a_process_in_an_app_container_makes_pairs,
        }
    }
}
