use std::time::Duration;

use super::*;
use crate::testing::start;

fn quota(per_user: u32, total: u32) -> Quota {
    Quota::new(QuotaLimits {
        per_user: NonZeroU32::new(per_user).unwrap(),
        total: NonZeroU32::new(total).unwrap(),
        ..QuotaLimits::default()
    })
}

fn parked(user: &str, expires_at: Instant) -> Parked {
    let address = "10.0.0.1:50001".parse().unwrap();
    Parked {
        home: 0,
        address: RelayedAddress {
            local: address,
            external: address,
        },
        user: user.into(),
        expires_at,
    }
}

const TOKEN: ReservationToken = ReservationToken([7; 8]);

#[test]
fn one_user_meets_his_own_bound_and_others_do_not() {
    let mut quota = quota(2, 10);
    assert_eq!(quota.reserve(Account::User("alice")), Ok(()));
    assert_eq!(quota.reserve(Account::User("alice")), Ok(()));
    assert_eq!(quota.reserve(Account::User("alice")), Err(LedgerFull::User));
    assert_eq!(quota.reserve(Account::User("bob")), Ok(()));
    quota.release(Account::User("alice"));
    assert_eq!(quota.reserve(Account::User("alice")), Ok(()));
}

#[test]
fn everybody_meets_the_total() {
    let mut quota = quota(2, 2);
    assert_eq!(quota.reserve(Account::User("alice")), Ok(()));
    assert_eq!(quota.reserve(Account::User("bob")), Ok(()));
    assert_eq!(quota.reserve(Account::User("carol")), Err(LedgerFull::Total));
}

#[test]
fn users_without_allocations_leave_nothing_behind() {
    let mut quota = quota(2, 2);
    for round in 0..1000 {
        let user = format!("user {round}");
        quota.reserve(Account::User(&user)).unwrap();
        quota.release(Account::User(&user));
    }
    assert_eq!((quota.users(), quota.total()), (0, 0));
}

#[test]
fn a_parked_port_is_claimed_once_and_by_its_user_only() {
    let now = start();
    let mut quota = Quota::default();
    quota.park(TOKEN, parked("alice", now + Duration::from_secs(30)));
    assert_eq!(quota.claim(now, TOKEN, "bob", 1), None);
    assert!(quota.claim(now, TOKEN, "alice", 1).is_some());
    assert_eq!(quota.claim(now, TOKEN, "alice", 1), None);
    assert_eq!(quota.unpark(TOKEN), Some(1), "in use: it stays on display");
    quota.give_back(TOKEN);
    assert_eq!(quota.unpark(TOKEN), None);
    assert_eq!(quota.reservations(), 0);
}

#[test]
fn a_token_is_void_when_its_time_is_over() {
    let mut quota = Quota::default();
    quota.park(TOKEN, parked("alice", start()));
    assert_eq!(quota.claim(start(), TOKEN, "alice", 1), None);
    assert_eq!(quota.unpark(TOKEN), None);
}

fn token(kid: &str, token: u64) -> Account<'_> {
    Account::Token { kid, token }
}

#[test]
fn a_token_counts_as_one_user_and_for_its_key() {
    let number = |n: u32| n.try_into().unwrap();
    let mut quota = Quota::new(QuotaLimits {
        per_user: number(2),
        per_key: number(3),
        ..QuotaLimits::default()
    });
    assert_eq!(quota.reserve(token("north", 1)), Ok(()));
    assert_eq!(quota.reserve(token("north", 1)), Ok(()));
    assert_eq!(quota.reserve(token("north", 1)), Err(LedgerFull::User));
    assert_eq!(
        quota.reserve(token("north", 2)),
        Ok(()),
        "the refused one did not count for the key"
    );
    assert_eq!(quota.reserve(token("north", 3)), Err(LedgerFull::User));
    assert_eq!(quota.reserve(token("south", 4)), Ok(()));
    assert_eq!(
        quota.reserve(Account::User("north")),
        Ok(()),
        "a user of that name is someone else"
    );
    quota.release(token("north", 1));
    assert_eq!(quota.reserve(token("north", 3)), Ok(()));
    assert_eq!(quota.total(), 5);
}

#[test]
fn tokens_leave_nothing_behind() {
    let mut quota = Quota::default();
    for n in 0..1000 {
        quota.reserve(token("north", n)).unwrap();
    }
    assert_eq!(quota.users(), 1000);
    for n in 0..1000 {
        quota.release(token("north", n));
    }
    assert_eq!((quota.users(), quota.total()), (0, 0));
    assert!(quota.allocations.keys.is_empty());
}
