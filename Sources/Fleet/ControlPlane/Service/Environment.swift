public import FleetModel

/// What the control plane takes from outside, so that a simulation can hold it still.
public protocol FleetEnvironment: Sendable {
    /// The time.
    func now() -> Timestamp
    /// Waits; returns early where the task is cancelled.
    func sleep(for span: TimeSpan) async
    /// A number that nobody can guess.
    func random() -> UInt64
}

extension FleetEnvironment {
    /// Letters for the end of a name, which tell a resource from others that would have the same.
    func suffix(length: Int = 5) -> String {
        let letters = Array("0123456789abcdefghjkmnpqrstvwxyz".utf8)
        var bits = random()
        let bytes = (0..<length).map { _ in
            let letter = letters[Int(bits % 32)]
            bits /= 32
            return letter
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// A version 4 UUID.
    func uid() -> String {
        let high = String(random() & 0xFFFF_FFFF_FFFF_0FFF | 0x4000, radix: 16)
        let low = String(random() & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000, radix: 16)
        let digits = [high, low].map { String(repeating: "0", count: 16 - $0.count) + $0 }.joined()
        let cuts = [0, 8, 12, 16, 20, 32]
        let characters = Array(digits)
        return zip(cuts, cuts.dropFirst()).map { String(characters[$0..<$1]) }.joined(separator: "-")
    }
}
