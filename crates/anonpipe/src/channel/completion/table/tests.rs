//! The order in which a table has its entries issued.

use super::SlotId;
use crate::sim::completion::Sim;

type Entry = super::Entry<Sim>;
type Table = super::Table<Sim>;

fn entry(number: usize) -> Entry {
    Entry::thread(SlotId(number))
}

fn numbers<'a>(entries: impl Iterator<Item = &'a Entry>) -> Vec<usize> {
    entries.map(|entry| entry.id().0).collect()
}

#[test]
fn what_comes_later_waits_behind_what_waits() {
    let at = SlotId;
    let mut table = Table::default();
    table.push(entry(1), false);
    table.set_issued(at(1));
    assert!(table.next_to_issue().is_none());
    table.push(entry(2), true);
    table.push(entry(3), false);
    table.push(entry(4), true);
    assert_eq!(numbers(table.waiting()), [2, 3, 4]);
    assert_eq!([1, 2, 3, 4].map(|number| table.is_next(at(number))), [true, true, false, false]);
    table.set_issued(at(2));
    assert!(table.is_next(at(3)) && !table.is_next(at(4)));
    // Take entries out of the middle, of those that wait and of those that are issued.
    table.remove(at(3));
    table.remove(at(1));
    assert_eq!(numbers(table.waiting()), [4]);
    assert_eq!(numbers(table.iter_mut().map(|entry| &*entry)), [2, 4]);
    // An entry that goes to the back waits there, as long as another entry does.
    table.send_to_the_back(at(2), false);
    assert_eq!(numbers(table.waiting()), [4, 2]);
    assert!(table.find(at(2)).is_some_and(|entry| !entry.is_issued()));
    table.remove(at(4));
    table.set_issued(at(2));
    table.send_to_the_back(at(2), false);
    assert!(table.next_to_issue().is_none() && table.is_next(at(2)));
    table.send_to_the_back(at(2), true);
    assert_eq!(numbers(table.waiting()), [2]);
    assert!(table.remove(at(2)).is_some() && table.remove(at(2)).is_none());
    assert_eq!((table.len(), table.waiting().len()), (0, 0));
}

#[test]
fn a_cancel_is_remembered_and_goes_to_the_kernel_if_that_has_it() {
    let at = SlotId;
    let mut table = Table::default();
    table.push(entry(1), false);
    assert!(!table.find(at(1)).unwrap().set_cancelled(), "the kernel does not have it");
    table.set_issued(at(1));
    assert!(table.find(at(1)).unwrap().set_cancelled());
    table.send_to_the_back(at(1), false);
    assert!(table.find(at(1)).unwrap().is_cancelled());
}
