internal import CPosix

/// The client's log: off unless `ROOST_LOG` names a file or "stderr".
public enum ClientLog {
    // SAFETY: written once while the session starts, before other threads read it.
    nonisolated(unsafe) private static var descriptor: Int32 = -1

    /// Whether lines go anywhere.
    public static var isEnabled: Bool { descriptor >= 0 }

    /// Opens the log that `ROOST_LOG` names.
    static func open() {
        guard descriptor < 0, let path = Environment.text("ROOST_LOG"), path[0] != 0 else { return }
        if Environment.equals(path, "stderr") {
            descriptor = 2
        } else {
            descriptor = posix_open(path, Int32(POSIX_OPEN_APPEND), 0o644)
        }
    }

    /// Writes one line when the log is on.
    public static func line(_ text: StaticString, _ detail: UnsafeRawBufferPointer? = nil, number: Int64? = nil) {
        guard descriptor >= 0 else { return }
        write(to: descriptor, text, detail, number)
    }

    /// Writes one line to the log and, when the log is elsewhere, to standard error: somebody must act.
    public static func problem(_ text: StaticString, _ detail: UnsafeRawBufferPointer? = nil, number: Int64? = nil) {
        if descriptor >= 0 { write(to: descriptor, text, detail, number) }
        if descriptor != 2 { write(to: 2, text, detail, number) }
    }

    private static func write(
        to descriptor: Int32, _ text: StaticString, _ detail: UnsafeRawBufferPointer?, _ number: Int64?
    ) {
        // One write call per line, so that lines of several threads and processes stay whole.
        withUnsafeTemporaryAllocation(byteCount: 1024, alignment: 8) { buffer in
            var line = LineWriter(buffer: buffer)
            line.append("roost: ")
            line.append(text)
            if let number { line.append(decimal: number) }
            if let detail, detail.count > 0 { line.append(detail) }
            line.end()
            guard let start = buffer.baseAddress else { return }
            _ = posix_write_all(descriptor, start, line.count)
        }
    }
}

/// Builds one line in memory of a fixed size; what does not fit is cut off.
public struct LineWriter {
    public let buffer: UnsafeMutableRawBufferPointer
    public private(set) var count = 0

    /// Begins an empty line.
    public init(buffer: UnsafeMutableRawBufferPointer) { self.buffer = buffer }

    /// Adds a text.
    public mutating func append(_ text: StaticString) {
        append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// Adds bytes.
    public mutating func append(_ bytes: UnsafeRawBufferPointer) {
        let room = buffer.count &- 1 &- count
        let taken = bytes.count < room ? bytes.count : room
        guard taken > 0, let target = buffer.baseAddress, let source = bytes.baseAddress else { return }
        (target + count).copyMemory(from: source, byteCount: taken)
        count &+= taken
    }

    /// Adds a number.
    public mutating func append(decimal value: Int64) {
        if value < 0 { append("-") }
        var rest = value.magnitude
        withUnsafeTemporaryAllocation(byteCount: 20, alignment: 1) { digits in
            var first = 20
            repeat {
                first &-= 1
                digits[first] = UInt8(truncatingIfNeeded: rest % 10) &+ 48
                rest /= 10
            } while rest > 0 && first > 0
            append(UnsafeRawBufferPointer(rebasing: digits[first..<20]))
        }
    }

    /// Ends the line with a newline.
    public mutating func end() {
        guard count < buffer.count else { return }
        buffer[count] = 10
        count &+= 1
    }
}
