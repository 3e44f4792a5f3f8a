/// The MD2 digest (RFC 1319) and the HMAC made of it; only for the validity handshake, which prescribes it.
enum MD2 {
    private static let substitution: [UInt8] = [
        41, 46, 67, 201, 162, 216, 124, 1, 61, 54, 84, 161, 236, 240, 6, 19, 98, 167, 5, 243, 192, 199, 115,
        140, 152, 147, 43, 217, 188, 76, 130, 202, 30, 155, 87, 60, 253, 212, 224, 22, 103, 66, 111, 24, 138,
        23, 229, 18, 190, 78, 196, 214, 218, 158, 222, 73, 160, 251, 245, 142, 187, 47, 238, 122, 169, 104,
        121, 145, 21, 178, 7, 63, 148, 194, 16, 137, 11, 34, 95, 33, 128, 127, 93, 154, 90, 144, 50, 39, 53,
        62, 204, 231, 191, 247, 151, 3, 255, 25, 48, 179, 72, 165, 181, 209, 215, 94, 146, 42, 172, 86, 170,
        198, 79, 184, 56, 210, 150, 164, 125, 182, 118, 252, 107, 226, 156, 116, 4, 241, 69, 157, 112, 89, 100,
        113, 135, 32, 134, 91, 207, 101, 230, 45, 168, 2, 27, 96, 37, 173, 174, 176, 185, 246, 28, 70, 97, 105,
        52, 64, 126, 15, 85, 71, 163, 35, 221, 81, 175, 58, 195, 92, 249, 206, 186, 197, 234, 38, 44, 83, 13,
        110, 133, 40, 132, 9, 211, 223, 205, 244, 65, 129, 77, 82, 106, 220, 55, 200, 108, 193, 171, 250, 36,
        225, 123, 8, 12, 189, 177, 74, 120, 136, 149, 139, 227, 99, 232, 109, 233, 203, 213, 254, 59, 0, 29,
        57, 242, 239, 183, 14, 102, 88, 208, 228, 166, 119, 114, 248, 235, 117, 75, 10, 49, 68, 80, 180, 143,
        237, 31, 26, 219, 153, 141, 51, 159, 17, 131, 20,
    ]

    /// The 16-byte digest of a message.
    static func digest(_ message: [UInt8]) -> [UInt8] {
        var padded = message
        let padding = 16 &- message.count % 16
        for _ in 0..<padding { padded.append(UInt8(truncatingIfNeeded: padding)) }
        var checksum = [UInt8](repeating: 0, count: 16)
        var last: UInt8 = 0
        for block in stride(from: 0, to: padded.count, by: 16) {
            for index in 0..<16 {
                checksum[index] ^= substitution[Int(padded[block &+ index] ^ last)]
                last = checksum[index]
            }
        }
        padded.append(contentsOf: checksum)
        var state = [UInt8](repeating: 0, count: 48)
        for block in stride(from: 0, to: padded.count, by: 16) {
            for index in 0..<16 {
                state[16 &+ index] = padded[block &+ index]
                state[32 &+ index] = padded[block &+ index] ^ state[index]
            }
            mix(&state)
        }
        return [UInt8](state[0..<16])
    }

    private static func mix(_ state: inout [UInt8]) {
        var carried: UInt8 = 0
        for round in 0..<18 {
            for index in 0..<48 {
                state[index] ^= substitution[Int(carried)]
                carried = state[index]
            }
            carried = carried &+ UInt8(truncatingIfNeeded: round)
        }
    }

    /// HMAC (RFC 2104) with MD2's block of 16 bytes; the key has at most that many.
    static func hmac(key: [UInt8], _ message: [UInt8]) -> [UInt8] {
        var inner = [UInt8](repeating: 0x36, count: 16)
        var outer = [UInt8](repeating: 0x5C, count: 16)
        for (index, byte) in key.enumerated() where index < 16 {
            inner[index] ^= byte
            outer[index] ^= byte
        }
        return digest(outer + digest(inner + message))
    }
}
