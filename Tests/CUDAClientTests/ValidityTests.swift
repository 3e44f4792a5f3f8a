import Testing

@testable import CUDAClient

@Suite struct ValidityTests {
    private func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { byte in
            let text = String(byte, radix: 16)
            return text.count == 1 ? "0" + text : text
        }.joined()
    }

    @Test(
        "MD2 gives the digests of RFC 1319",
        arguments: [
            ("", "8350e5a3e24c153df2275c9f80692773"), ("abc", "da853b0d3f88d99b30283a69e6ded6bb"),
            ("message digest", "ab4f496bfb2a530b219ff33031fe06b0"),
            ("abcdefghijklmnopqrstuvwxyz", "4e8ddff3650292ab5a4108c3aa47940b"),
        ])
    func digests(text: String, expected: String) {
        #expect(hexadecimal(MD2.digest([UInt8](text.utf8))) == expected)
    }

    private func facts(_ devices: [ValidityFacts.Device]) -> ValidityFacts {
        ValidityFacts(
            driverVersion: 12_080, processID: 0x002f_a423, thread: 0xf79c_1000, runtimeTable: 0x0000_7fff_f695_8240,
            checkTable: 0x0000_7fff_f695_8220, checkFunction: 0x0000_7fff_f2aa_f4a0, devices: devices)
    }

    private func answer(_ version: UInt32, _ devices: [ValidityFacts.Device]) -> String {
        let words = ValidityHandshake.answer(version: version, seconds: 0x682b_9cee) { facts(devices) }
        let bytes = [words.0, words.1].flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) } }
        return hexadecimal(bytes)
    }

    @Test("the published vector with one device")
    func withDevice() {
        let uuid: [UInt8] = [
            0x9a, 0xfe, 0x2b, 0x8a, 0xac, 0x25, 0x2d, 0x38, 0xea, 0x37, 0xae, 0xc5, 0x6d, 0x71, 0x32, 0x5f,
        ]
        let device = ValidityFacts.Device(uuid: uuid, pciDomain: 0, pciBus: 2, pciDevice: 0)
        #expect(answer(12_082, [device]) == "4448a171b026cef76c8c3e39051b02dd")
    }

    @Test("the published vector without a device")
    func withoutDevice() { #expect(answer(12_082, []) == "0779ef5e4ffa2dd207527503d1907bfa") }

    @Test("several devices follow each other in their order behind the 48 bytes of the header")
    func severalDevices() {
        let first = ValidityFacts.Device(uuid: [UInt8](repeating: 1, count: 16), pciDomain: 0, pciBus: 2, pciDevice: 0)
        let second = ValidityFacts.Device(uuid: [UInt8](0..<16), pciDomain: 1, pciBus: 0x81, pciDevice: 3)
        var message: [UInt8] = []
        func append(_ value: UInt64, _ byteCount: Int) {
            for index in 0..<byteCount { message.append(UInt8(truncatingIfNeeded: value >> (8 * UInt64(index)))) }
        }
        for value: UInt64 in [12_080, 12_082, 0x002f_a423, 0xf79c_1000] { append(value, 4) }
        for value: UInt64 in [0x7fff_f695_8240, 0x7fff_f695_8220, 0x7fff_f2aa_f4a0, 0x682b_9cee] { append(value, 8) }
        for device in [first, second] {
            message += device.uuid
            for value in [device.pciDomain, device.pciBus, device.pciDevice] { append(UInt64(value), 4) }
        }
        #expect(message.count == 48 + 2 * 28)
        let key: [UInt8] = [
            0x14, 0x6A, 0xDD, 0xAE, 0x53, 0xA9, 0xA7, 0x52, 0xAA, 0x08, 0x41, 0x36, 0x0B, 0xF5, 0x5A, 0x9F,
        ]
        #expect(answer(12_082, [first, second]) == hexadecimal(MD2.hmac(key: key, message)))
        #expect(answer(12_082, [first, second]) != answer(12_082, [second, first]))
    }

    @Test("versions that end in 0 and 1 have constant answers")
    func constants() {
        let zero = ValidityHandshake.answer(version: 13_050, seconds: 1) { facts([]) }
        #expect(zero == (0x3341_181C_03CB_675C, 0x8ED3_83AA_1F4C_D1E8))
        let one = ValidityHandshake.answer(version: 13_051, seconds: 2) { facts([]) }
        #expect(one == (0x1841_181C_03CB_675C, 0x8ED3_83AA_1F4C_D1E8))
    }
}
