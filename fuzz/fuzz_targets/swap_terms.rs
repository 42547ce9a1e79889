//! Terms, offers and takes of a stranger: read, judged, named, and written again as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use photon_chains::UnixTime;
use photon_swap::{Consent, Offer, Role, Take, Terms};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(terms) = serde_json::from_slice::<Terms>(bytes) {
        let again = serde_json::to_vec(&terms).expect("terms are written");
        assert_eq!(serde_json::from_slice::<Terms>(&again).expect("and read"), terms);
        if terms.check().is_ok() {
            assert!(terms.alpha.lock.expiry.opens_time > terms.beta.lock.expiry.opens_time);
        }
        let digests = [Role::Initiator, Role::Participant].map(|role| (terms.digest(Consent::Propose, role), terms.digest(Consent::Accept, role)));
        let _ = (terms.id(), digests, terms.own_leg(Role::Initiator));
    }
    if let Ok(offer) = serde_json::from_slice::<Offer>(bytes) {
        let _ = (offer.check(UnixTime::from_secs(1_800_000_000)), offer.digest());
    }
    if let Ok(take) = serde_json::from_slice::<Take>(bytes) {
        let _ = take.digest();
    }
});
