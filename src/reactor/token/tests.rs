use super::*;

#[test]
fn every_source_survives_the_token() {
    let corner = [1, 2, 0xffff, 0x1_0000, u32::MAX];
    for slot in corner.into_iter().chain([0]) {
        for generation in corner {
            let source = Source::Conn(ConnId { slot, generation });
            assert_eq!(Source::of(source.token()), source);
        }
    }
    for index in [0, 1, u16::MAX] {
        for source in [Source::Control(index), Source::Datagram(index), Source::Listener(index)] {
            assert_eq!(Source::of(source.token()), source);
        }
    }
}
