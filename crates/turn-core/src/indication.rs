//! Send and Data indications (RFC 8656 §11): 36 to 48 bytes where a channel needs four.

use std::{net::SocketAddr, ops::Range};

use stun_wire::{
    AttributeType, Class, HEADER_LEN, Message, MessageWriter, Method, TransactionId, stream::MAX_FRAME_LEN,
};

use crate::{output::DropReason, packet::Packet, types::FiveTuple};

/// The longest UDP payload over IPv4.
const MAX_DATAGRAM: usize = 65_507;

/// Gives the longest message that a client can be sent.
pub(crate) fn longest_message(client: FiveTuple) -> usize {
    if client.transport.is_stream() {
        MAX_FRAME_LEN
    } else {
        MAX_DATAGRAM
    }
}

/// Type and length in front of an attribute's value.
const ATTRIBUTE_HEADER_LEN: usize = 4;

/// XOR-PEER-ADDRESS with its header.
const PEER_V4_LEN: usize = ATTRIBUTE_HEADER_LEN + 8;
const PEER_V6_LEN: usize = ATTRIBUTE_HEADER_LEN + 20;

/// The length field of a STUN header.
const LENGTH: Range<usize> = 2..4;

const KNOWN: &[AttributeType] = &[
    AttributeType::XOR_PEER_ADDRESS,
    AttributeType::DATA,
    AttributeType::DONT_FRAGMENT,
];

/// Holds what a Send indication asks for.
#[derive(Debug)]
pub(crate) struct Send {
    pub(crate) peer: SocketAddr,
    /// Where in the message the data lie.
    pub(crate) data: Range<usize>,
    pub(crate) dont_fragment: bool,
}

/// Reads a Send indication. Where DF cannot be set, one that asks for it dies as RFC 8656 §11.2 says.
pub(crate) fn read_send(message: &Message<'_>, can_set_df: bool) -> Result<Send, DropReason> {
    let dont_fragment = message.attribute(AttributeType::DONT_FRAGMENT).is_some();
    if message.unknown_required(KNOWN).next().is_some() || (dont_fragment && !can_set_df) {
        return Err(DropReason::UnknownAttribute);
    }
    let peer = message.xor_address(AttributeType::XOR_PEER_ADDRESS);
    let peer = peer.and_then(Result::ok).ok_or(DropReason::IncompleteSend)?;
    let data = message
        .attributes()
        .find(|attribute| attribute.kind == AttributeType::DATA);
    let data = data.ok_or(DropReason::IncompleteSend)?;
    Ok(Send {
        peer,
        data: data.offset..data.offset + data.value.len(),
        dont_fragment,
    })
}

/// Puts the head of a Data indication in front of the payload, and zeros behind it up to a multiple of four, if `longest`
/// allows it.
///
/// ```text
/// | STUN header 20 | XOR-PEER-ADDRESS 12 or 24 | DATA 4 | payload | padding 0..3 |
/// ```
pub(crate) fn wrap_data(
    packet: &mut Packet<'_>,
    peer: SocketAddr,
    id: TransactionId,
    longest: usize,
) -> Result<(), DropReason> {
    let len = packet.payload().len();
    let padding = len.wrapping_neg() % 4;
    let peer_len = if peer.is_ipv4() { PEER_V4_LEN } else { PEER_V6_LEN };
    let head_len = HEADER_LEN + peer_len + ATTRIBUTE_HEADER_LEN;
    if head_len + len + padding > longest {
        return Err(DropReason::TooLong);
    }
    if !packet.pad(padding) {
        return Err(DropReason::NoRoom);
    }
    let head = packet.grow_front(head_len).ok_or(DropReason::NoRoom)?;
    write_head(head, peer, id, len, padding).ok_or(DropReason::NoRoom)
}

fn write_head(
    head: &mut [u8],
    peer: SocketAddr,
    id: TransactionId,
    len: usize,
    padding: usize,
) -> Option<()> {
    let (front, data) = head.split_last_chunk_mut::<ATTRIBUTE_HEADER_LEN>()?;
    let mut writer = MessageWriter::new(front, Class::Indication, Method::DATA, id).ok()?;
    writer.xor_address(AttributeType::XOR_PEER_ADDRESS, peer).ok()?;
    let written = writer.finish();
    let length = (written - HEADER_LEN + ATTRIBUTE_HEADER_LEN + len + padding) as u16;
    front[LENGTH].copy_from_slice(&length.to_be_bytes());
    data[..2].copy_from_slice(&AttributeType::DATA.0.to_be_bytes());
    data[2..].copy_from_slice(&(len as u16).to_be_bytes());
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::HEADROOM;

    fn wrapped(payload: &[u8], peer: &str) -> Result<Vec<u8>, DropReason> {
        wrapped_up_to(MAX_DATAGRAM, payload, peer)
    }

    fn wrapped_up_to(longest: usize, payload: &[u8], peer: &str) -> Result<Vec<u8>, DropReason> {
        let mut buffer = vec![0xff; HEADROOM + payload.len() + 3];
        buffer[HEADROOM..HEADROOM + payload.len()].copy_from_slice(payload);
        let mut packet = Packet::new(&mut buffer, HEADROOM, payload.len());
        wrap_data(
            &mut packet,
            peer.parse().unwrap(),
            TransactionId([9; 12]),
            longest,
        )?;
        Ok(packet.payload().to_vec())
    }

    #[test]
    fn a_data_indication_names_the_peer_and_holds_the_payload() {
        for peer in ["8.8.8.8:53", "[2606:4700::1111]:53"] {
            for len in 0..9 {
                let payload = vec![7; len];
                let bytes = wrapped(&payload, peer).unwrap();
                let message = Message::parse(&bytes).unwrap();
                assert_eq!(
                    (message.class(), message.method()),
                    (Class::Indication, Method::DATA)
                );
                assert_eq!(
                    message.xor_address(AttributeType::XOR_PEER_ADDRESS),
                    Some(Ok(peer.parse().unwrap()))
                );
                assert_eq!(message.attribute(AttributeType::DATA), Some(payload.as_slice()));
            }
        }
    }

    /// THREATS 9.
    #[test]
    fn padding_is_zero_whatever_the_buffer_held_before() {
        for len in [1, 2, 3, 5] {
            let bytes = wrapped(&vec![7; len], "8.8.8.8:53").unwrap();
            assert_eq!(bytes.len() % 4, 0);
            assert!(bytes[36 + len..].iter().all(|&byte| byte == 0), "{len}");
        }
    }

    #[test]
    fn the_longest_head_fits_the_headroom_exactly() {
        assert_eq!(HEADER_LEN + PEER_V6_LEN + ATTRIBUTE_HEADER_LEN, HEADROOM);
    }

    #[test]
    fn what_would_exceed_a_datagram_is_dropped() {
        assert!(wrapped(&vec![0; MAX_DATAGRAM - 36 - 3], "8.8.8.8:53").is_ok());
        assert_eq!(
            wrapped(&vec![0; MAX_DATAGRAM - 35], "8.8.8.8:53"),
            Err(DropReason::TooLong)
        );
    }

    /// RFC 8489 §5: the length field counts to 65,535, in multiples of four.
    #[test]
    fn a_stream_carries_what_the_length_field_can_say() {
        for (peer, head) in [("8.8.8.8:53", 16), ("[2606:4700::1111]:53", 28)] {
            let longest = vec![7; 65_532 - head];
            let bytes = wrapped_up_to(MAX_FRAME_LEN, &longest, peer).unwrap();
            let message = Message::parse(&bytes).unwrap();
            assert_eq!(message.attribute(AttributeType::DATA), Some(&longest[..]));
            let longer = vec![7; longest.len() + 1];
            assert_eq!(
                wrapped_up_to(MAX_FRAME_LEN, &longer, peer),
                Err(DropReason::TooLong)
            );
        }
    }

    #[test]
    fn without_room_for_head_or_padding_nothing_is_sent() {
        let peer = "8.8.8.8:53".parse().unwrap();
        for (len, start, payload) in [(100, 35, 4), (42, 36, 5)] {
            let mut buffer = vec![0; len];
            let mut packet = Packet::new(&mut buffer, start, payload);
            assert_eq!(
                wrap_data(&mut packet, peer, TransactionId([9; 12]), MAX_DATAGRAM),
                Err(DropReason::NoRoom)
            );
        }
    }
}
