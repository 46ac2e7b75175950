//! Makes keys and certificates.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, Error, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
};

use super::{Host, constraints};
use crate::pair::seconds_since_1970;

pub(super) const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

const DAY: u64 = 86_400;
/// As long as devices are not to be told anew.
const AUTHORITY_DAYS: u64 = 3653;
/// Apple's systems refuse more than 825 days even from authorities that a user added.
const SERVER_DAYS: u64 = 90;
/// Clocks of devices that are a little behind do not matter.
const BACKDATED: u64 = DAY;

/// A new authority: certificate and key in PEM.
pub(super) fn authority(host: &Host) -> Result<(String, String), Error> {
    let name = host.name.as_deref().unwrap_or("this machine");
    let mut params = params(&format!("Watari local authority on {name}"), AUTHORITY_DAYS);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.name_constraints = Some(constraints::for_host(host));
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    Ok((params.self_signed(&key)?.pem(), key.serialize_pem()))
}

/// A server's key and certificate in PEM, signed by the authority of this name.
pub(super) fn server(names: &[String], authority: &str, authority_key: &KeyPair) -> Result<String, Error> {
    let issuer = self::params(authority, AUTHORITY_DAYS);
    let issuer = Issuer::from_params(&issuer, authority_key);
    let mut params = self::params("Watari", SERVER_DAYS);
    params.subject_alt_names = CertificateParams::new(names)?.subject_alt_names;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let certificate = params.signed_by(&key, &issuer)?;
    Ok(key.serialize_pem() + &certificate.pem())
}

/// DNS names of a host: its own, and the one by which mDNS finds it.
pub(super) fn names_of(host: &Host) -> Vec<String> {
    let Some(name) = host.name.as_deref().map(str::to_ascii_lowercase) else {
        return Vec::new();
    };
    let is_label = |label: &str| {
        let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        (1..=63).contains(&label.len()) && label.bytes().all(is_fit)
    };
    if name == "localhost" || name.len() > 253 || !name.split('.').all(is_label) {
        return Vec::new();
    }
    let local = (!name.contains('.')).then(|| format!("{name}.local"));
    [name].into_iter().chain(local).collect()
}

/// An IPv6 link-local address is written with its interface, which no certificate holds.
pub(super) fn is_certifiable(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !address.is_unspecified() && !address.is_multicast(),
        IpAddr::V6(address) => {
            !address.is_unspecified() && !address.is_multicast() && !address.is_unicast_link_local()
        }
    }
}

fn params(common_name: &str, days: u64) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let now = seconds_since_1970().unsigned_abs();
    params.not_before = epoch + Duration::from_secs(now.saturating_sub(BACKDATED));
    params.not_after = epoch + Duration::from_secs(now + days * DAY);
    params
}
