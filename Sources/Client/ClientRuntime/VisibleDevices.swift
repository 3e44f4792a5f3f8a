/// Which of the process's vGPUs CUDA shows, in which order: `CUDA_VISIBLE_DEVICES` and `CUDA_DEVICE_ORDER`.
///
/// The list's first entry says how all of it is written: numbers, or `GPU-` and the beginning of a UUID. The first
/// entry that names no device ends the list, and one that names a device twice hides all.
public struct VisibleDevices {
    /// A device as this choice knows it.
    public struct Candidate {
        public var uuidHigh: UInt64
        public var uuidLow: UInt64
        /// Larger is faster; only compared.
        public var speed: UInt64

        public init(uuidHigh: UInt64, uuidLow: UInt64, speed: UInt64 = 0) {
            self.uuidHigh = uuidHigh
            self.uuidLow = uuidLow
            self.speed = speed
        }
    }

    private let candidates: [Candidate]
    /// Places in ``candidates``, in the order that numbers count.
    private let order: [Int]

    /// - Parameter isFastestFirst: Whether the fastest device gets number 0; the others keep their order.
    public init(_ candidates: [Candidate], isFastestFirst: Bool = false) {
        self.candidates = candidates
        var order = Array(candidates.indices)
        if isFastestFirst {
            var fastest = 0
            for index in candidates.indices where candidates[index].speed > candidates[fastest].speed {
                fastest = index
            }
            order = []
            if !candidates.isEmpty { order.append(fastest) }
            for index in candidates.indices where index != fastest { order.append(index) }
        }
        self.order = order
    }

    /// All devices, for a process that makes no choice.
    public var all: [Int] { order }

    /// The chosen devices, as places in the candidates, in the order of their ordinals.
    public func chosen(by list: UnsafeRawBufferPointer) -> [Int] {
        let isByUUID = VisibleDevices.hasPrefix(VisibleDevices.trimmed(list))
        var result: [Int] = []
        var start = 0
        while start <= list.count {
            var end = start
            while end < list.count, list[end] != UInt8(ascii: ",") { end &+= 1 }
            let entry = VisibleDevices.trimmed(UnsafeRawBufferPointer(rebasing: list[start..<end]))
            guard let index = isByUUID ? place(ofUUID: entry) : place(ofNumber: entry) else { return result }
            if result.contains(index) { return [] }
            result.append(index)
            start = end &+ 1
        }
        return result
    }

    /// Leading digits count, as in the C library's `strtoul`: `1a` is 1.
    private func place(ofNumber entry: UnsafeRawBufferPointer) -> Int? {
        var value = 0
        var digitCount = 0
        for byte in entry {
            if digitCount == 0, byte == UInt8(ascii: "+") { continue }
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { break }
            value = min(value &* 10 &+ Int(byte &- UInt8(ascii: "0")), 1 << 20)
            digitCount &+= 1
        }
        guard digitCount > 0, value < order.count else { return nil }
        return order[value]
    }

    /// A UUID may be cut as long as it names one device only.
    private func place(ofUUID entry: UnsafeRawBufferPointer) -> Int? {
        guard VisibleDevices.hasPrefix(entry) else { return nil }
        var found: Int?
        for index in order {
            guard isStart(entry, ofUUIDOf: candidates[index]) else { continue }
            guard found == nil else { return nil }
            found = index
        }
        return found
    }

    private func isStart(_ entry: UnsafeRawBufferPointer, ofUUIDOf candidate: Candidate) -> Bool {
        var place = 0
        for byte in entry[4...] {
            if place == 8 || place == 13 || place == 18 || place == 23 {
                guard byte == UInt8(ascii: "-") else { return false }
            } else {
                // 32 digits with 4 hyphens between them.
                let hyphens = place < 8 ? 0 : place < 13 ? 1 : place < 18 ? 2 : place < 23 ? 3 : 4
                let digit = place &- hyphens
                guard digit < 32, let value = VisibleDevices.hexadecimal(byte) else { return false }
                let word = digit < 16 ? candidate.uuidHigh : candidate.uuidLow
                guard UInt64(value) == (word >> UInt64(60 &- 4 &* (digit & 15))) & 15 else { return false }
            }
            place &+= 1
        }
        return true
    }

    private static func hexadecimal(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 48...57: byte &- 48
        case 65...70: byte &- 55
        case 97...102: byte &- 87
        default: nil
        }
    }

    private static func hasPrefix(_ entry: UnsafeRawBufferPointer) -> Bool {
        entry.count >= 4 && entry[0] == UInt8(ascii: "G") && entry[1] == UInt8(ascii: "P")
            && entry[2] == UInt8(ascii: "U") && entry[3] == UInt8(ascii: "-")
    }

    private static func trimmed(_ text: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        var start = 0
        var end = text.count
        while start < end, isSpace(text[start]) { start &+= 1 }
        while end > start, isSpace(text[end &- 1]) { end &-= 1 }
        return UnsafeRawBufferPointer(rebasing: text[start..<end])
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 32 || (byte >= 9 && byte <= 13) }
}
