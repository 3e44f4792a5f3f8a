// The answer that CUDA's runtime library expects from a driver before it works with it: for versions that end in 0 or
// 1 a constant, else an HMAC over facts that the runtime library knows too. Written from the public description of
// the exchange in ZLUDA's documentation of the driver's export tables, and tested with vectors published there; no
// code was taken. `ROOST_VALIDITY_HANDSHAKE=0` turns it off; the runtime library then refuses this driver with its
// error 103.

internal import ClientRuntime

/// The facts that both sides know.
struct ValidityFacts {
    struct Device {
        /// As `cuDeviceGetUuid` gives them.
        var uuid: [UInt8]
        var pciDomain: Int32
        var pciBus: Int32
        var pciDevice: Int32
    }

    var driverVersion: UInt32
    var processID: UInt32
    /// The low half of the thread's `pthread_self`.
    var thread: UInt32
    var runtimeTable: UInt64
    var checkTable: UInt64
    var checkFunction: UInt64
    var devices: [Device]
}

enum ValidityHandshake {
    private static let key: [UInt8] = [
        0x14, 0x6A, 0xDD, 0xAE, 0x53, 0xA9, 0xA7, 0x52, 0xAA, 0x08, 0x41, 0x36, 0x0B, 0xF5, 0x5A, 0x9F,
    ]
    private static let constantHigh: UInt64 = 0x8ED3_83AA_1F4C_D1E8

    /// Whether the answer may be given.
    static var isEnabled: Bool { !Environment.isOff("ROOST_VALIDITY_HANDSHAKE") }

    /// The two words that the runtime library compares with its own.
    static func answer(version: UInt32, seconds: UInt64, _ facts: () -> ValidityFacts) -> (UInt64, UInt64) {
        switch version % 10 {
        case 0: return (0x3341_181C_03CB_675C, constantHigh)
        case 1: return (0x1841_181C_03CB_675C, constantHigh)
        default: break
        }
        let digest = MD2.hmac(key: key, message(version: version, seconds: seconds, facts()))
        var words: [UInt64] = [0, 0]
        for (index, byte) in digest.enumerated() where index < 16 {
            words[index / 8] |= UInt64(byte) << UInt64(index % 8 &* 8)
        }
        return (words[0], words[1])
    }

    private static func message(version: UInt32, seconds: UInt64, _ facts: ValidityFacts) -> [UInt8] {
        var bytes: [UInt8] = []
        for value in [facts.driverVersion, version, facts.processID, facts.thread] { append(value, to: &bytes) }
        for value in [facts.runtimeTable, facts.checkTable, facts.checkFunction, seconds] { append(value, to: &bytes) }
        for device in facts.devices {
            bytes.append(contentsOf: device.uuid)
            for value in [device.pciDomain, device.pciBus, device.pciDevice] {
                append(UInt32(bitPattern: value), to: &bytes)
            }
        }
        return bytes
    }

    private static func append<Value: FixedWidthInteger>(_ value: Value, to bytes: inout [UInt8]) {
        for index in 0..<MemoryLayout<Value>.size {
            bytes.append(UInt8(truncatingIfNeeded: value >> Value(index &* 8)))
        }
    }
}
