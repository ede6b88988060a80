//! Children of `anonpipe::process`. The program is its own child: see `roles`.
//!
//! To add a test, write a function in the file of its subject, and add its name to the table below.
//! Tests marked `alone` run in a process of their own, because they count what the process has.

#![allow(missing_docs, reason = "a test's name says what it is about")]
#![allow(clippy::cast_possible_truncation, reason = "the numbers are the tests' own, and small")]

mod endings;
mod exits;
mod harness;
mod outputs;
mod pipelines;
mod resources;
mod roles;
mod same_source;
mod spawning;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use harness::Tests;

/// The tests of a file, and how they run.
macro_rules! tests {
    ($($(#[$file_if:meta])* $file:ident $how:ident
        { $($(#[$test_if:meta])* $test:ident),+ $(,)? })+) => {
        fn all_tests() -> Tests {
            let mut tests = Tests::default();
            $($(#[$file_if])* {
                $($(#[$test_if])*
                tests.$how(concat!(stringify!($file), "::", stringify!($test)), $file::$test);)+
            })+
            tests
        }
    };
}

tests! {
    spawning shared {
        arguments_arrive,
        a_thousand_random_arguments_arrive,
        the_environment_arrives,
        the_working_directory_is_set,
        what_does_not_exist_is_not_found,
        a_nul_is_refused,
        a_conversation,
        standard_handles_are_what_they_were_told,
        a_command_spawns_again,
        an_end_that_was_given_away_is_not_given_twice,
        the_end_of_file_comes_while_the_command_lives,
        children_started_at_once_get_only_their_own,
        a_childs_end_is_overlapped_if_asked,
        a_child_on_a_duplex_pipe,
    }
    exits shared {
        exit_codes_arrive,
        waiting_by_every_way,
        waiting_on_every_executor,
        an_exit_is_an_operation,
        an_exit_leaves_stdin_open,
        a_wait_closes_stdin,
        several_wait_for_one_child,
        a_wait_that_is_dropped_is_forgotten,
        an_attached_child_needs_no_thread_of_ours,
        an_id_is_there_until_the_status_was_returned,
        kill_ends_it,
    }
    outputs shared {
        two_full_pipes_do_not_deadlock,
        input_is_written_while_output_is_read,
        input_that_is_not_read_is_dropped,
        merged_output_is_in_order,
        what_is_beyond_the_limit_is_left_out,
        a_limit_ends_the_tree,
        a_grandchild_that_holds_the_output,
        what_comes_within_the_linger_time_is_taken,
        nothing_that_was_written_is_lost_without_linger,
        a_timeout_has_the_output_so_far,
        a_timeout_after_the_end_changes_nothing,
        a_silent_child_is_idle,
        one_that_talks_is_not_idle,
        a_dropped_output_ends_the_child,
        output_honours_what_was_set,
    }
    endings shared {
        kill_tree_ends_four_generations,
        kill_tree_after_the_childs_end,
        without_a_group_it_says_so,
        terminate_asks,
        shutdown_by_end_of_file,
        shutdown_of_one_that_ignores_everything,
        a_dropped_shutdown_goes_on,
        a_dropped_child_goes_on,
        a_dropped_child_is_killed_if_asked,
        a_child_that_dies_with_its_parent,
        a_child_that_does_not_die_with_its_parent,
        dropping_one_that_dies_with_its_parent_ends_nothing,
    }
    pipelines shared {
        each_reads_what_the_one_before_writes,
        the_statuses_of_all_are_told,
        the_ends_of_a_pipeline_are_ours,
        a_writer_ends_with_its_reader,
        a_failed_spawn_ends_those_before_it,
        a_dropped_pipeline_ends_all,
    }
    same_source shared {
        ordinary_programs_do_the_same_as_with_tokio,
    }
    resources alone {
        failed_spawns_leave_nothing,
        many_short_children_leave_nothing,
        quiet_children_cost_no_thread,
        a_blocking_wait_starts_no_thread,
        an_attached_child_starts_no_thread,
    }
    #[cfg(unix)]
    unix shared {
        signals_arrive,
        the_child_has_its_group_and_session,
        arg0_is_what_it_was_told,
        pre_exec_runs_in_the_child,
        groups_need_privileges_or_are_set,
        a_child_gets_no_other_descriptor,
        a_group_that_was_left_is_killed_with_the_child,
        shutdown_terminates_before_it_kills,
        #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
        a_child_that_dies_with_its_parent_can_be_signalled,
    }
    #[cfg(unix)]
    unix alone {
        dropped_children_leave_no_zombie,
        a_fork_leaves_the_children_to_its_parent,
        without_descriptors_a_spawn_fails_cleanly,
        a_program_that_reaps_all_children_is_told,
    }
    #[cfg(windows)]
    windows shared {
        an_inheritable_end_does_not_reach_a_child,
        the_shell_splits_arguments_alike,
        raw_arguments_are_left_alone,
        batch_files_get_their_arguments,
        a_batch_file_cannot_be_made_to_run_a_command,
        scripts_of_pathext_are_found_along_path,
        the_current_folder_is_not_searched,
        the_childs_own_path_is_searched,
    }
}

fn main() {
    if roles::is_child() {
        return;
    }
    all_tests().run();
}
