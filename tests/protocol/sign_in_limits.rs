//! Guesses, and connections that never sign in.

use crate::client::{Body, Client, startup_packet};
use crate::gateway::{Gateway, PASSWORD, USER};
use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};

fn startup(user: &str) -> Vec<u8> {
    startup_packet(3 << 16, &[("user", user)])
}

fn sign_in(gateway: &Gateway, user: &str, password: &str) -> String {
    let mut client = Client::connect(gateway.address);
    client.send_bytes(&startup(user));
    client.authenticate(password).last().unwrap().clone()
}

/// A gateway that forgets failures later than any test ends.
fn gateway(per_user_max: u32, per_address_max: u32) -> Gateway {
    Gateway::start_with(
        |settings| {
            settings.sign_in_failures.per_user_max = per_user_max;
            settings.sign_in_failures.per_address_max = per_address_max;
            settings.sign_in_failures.forgotten_s = 10_000;
        },
        None,
    )
}

#[test]
fn after_so_many_wrong_passwords_not_even_the_right_one_is_judged() {
    let gateway = gateway(3, 0);
    // A name that does not exist is no different.
    for user in [USER, "nobody"] {
        for _ in 0..3 {
            assert_eq!(sign_in(&gateway, user, "wrong"), "fatal 28P01");
        }
        assert_eq!(sign_in(&gateway, user, PASSWORD), "fatal 53300");
    }
    assert_eq!(sign_in(&gateway, "somebody else", PASSWORD), "fatal 28P01");
}

#[test]
fn one_address_has_so_many_failures_under_all_names_together() {
    let gateway = gateway(0, 3);
    for user in ["a", "b", "c"] {
        assert_eq!(sign_in(&gateway, user, "wrong"), "fatal 28P01");
    }
    assert_eq!(sign_in(&gateway, USER, PASSWORD), "fatal 53300");
}

#[test]
fn who_signed_in_from_an_address_is_not_locked_out_of_it() {
    let gateway = gateway(3, 0);
    assert_eq!(sign_in(&gateway, USER, PASSWORD), "Ready I");
    for _ in 0..5 {
        assert_eq!(sign_in(&gateway, USER, "wrong"), "fatal 28P01");
    }
    assert_eq!(sign_in(&gateway, USER, PASSWORD), "Ready I");
}

#[test]
fn guesses_on_many_connections_at_once_count_like_guesses_one_by_one() {
    let gateway = gateway(3, 0);
    // All are let begin, because none has failed yet.
    let mut guesses: Vec<(Client, ScramSha256)> = (0..8)
        .map(|_| {
            let mut client = Client::connect(gateway.address);
            client.send_bytes(&startup(USER));
            client.receive();
            let mut scram = ScramSha256::new(b"wrong", ChannelBinding::unsupported());
            let first = Body::default()
                .text("SCRAM-SHA-256")
                .int4(i32::try_from(scram.message().len()).unwrap())
                .bytes(scram.message());
            client.send(b'p', first);
            scram.update(&client.receive().body[4..]).unwrap();
            (client, scram)
        })
        .collect();
    let answers: Vec<String> = guesses
        .iter_mut()
        .map(|(client, scram)| {
            client.send(b'p', Body(scram.message().to_vec()));
            client.line()
        })
        .collect();
    assert_eq!(answers[..3], ["fatal 28P01"; 3]);
    assert_eq!(answers[3..], ["fatal 53300"; 5]);
}

#[test]
fn clients_that_leave_before_they_answer_have_not_failed() {
    let gateway = gateway(3, 3);
    for _ in 0..5 {
        let mut client = Client::connect(gateway.address);
        client.send_bytes(&startup(USER));
        client.receive();
        client.vanish();
    }
    assert_eq!(sign_in(&gateway, USER, PASSWORD), "Ready I");
}

#[test]
fn connections_that_never_sign_in_give_their_places_to_those_that_do() {
    let gateway = Gateway::start_with(
        |settings| {
            settings.listen.connections_max = 4;
            settings.listen.sign_ins_max = 3;
            settings.listen.sign_ins_max_per_address = 3;
        },
        None,
    );
    let mut silent = Client::connect(gateway.address);
    let mut slow = Client::connect(gateway.address);
    slow.send_bytes(&startup(USER)[..5]);
    let mut asked = Client::connect(gateway.address);
    asked.send_bytes(&startup(USER));
    asked.receive();
    // Each of these would find no place without the others' going.
    let mut signed_in: Vec<Client> = Vec::new();
    for _ in 0..3 {
        signed_in.push(Client::signed_in(&gateway));
    }
    assert!(silent.is_closed());
    for client in &mut signed_in {
        assert_eq!(client.query(""), ["EmptyQuery", "Ready I"]);
    }
    drop((slow, asked));
}

#[test]
fn who_loses_its_place_after_it_was_asked_is_told() {
    let gateway = Gateway::start_with(
        |settings| settings.listen.sign_ins_max_per_address = 1,
        None,
    );
    let mut asked = Client::connect(gateway.address);
    asked.send_bytes(&startup(USER));
    asked.receive();
    let mut other = Client::signed_in(&gateway);
    assert_eq!(asked.transcript(), ["fatal 53300", "closed"]);
    assert_eq!(other.query(""), ["EmptyQuery", "Ready I"]);
}

#[test]
fn sessions_do_not_count_among_those_that_have_not_signed_in() {
    let gateway = Gateway::start_with(
        |settings| settings.listen.sign_ins_max_per_address = 2,
        None,
    );
    let mut clients: Vec<Client> = (0..6).map(|_| Client::signed_in(&gateway)).collect();
    for client in &mut clients {
        assert_eq!(client.query(""), ["EmptyQuery", "Ready I"]);
    }
}
