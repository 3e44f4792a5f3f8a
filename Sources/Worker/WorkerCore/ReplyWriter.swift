import Transport
import WireProtocol

/// Sends replies on one connection.
final class ReplyWriter {
    /// What surrounds a command's own outputs.
    struct Parts {
        var status: Int32 = 0
        var deferredStatus: Int32 = 0
        var printf: [UInt8] = []
        var message: [UInt8] = []
        var bulkByteCount: UInt64 = 0
    }

    /// The longest output that fits into a frame beside the rest, in bytes.
    static let outputByteCountMax =
        WireLimits.frameByteCountMax - ReplyHeader.byteCount - WireLimits.messageByteCountMax - printfByteCountMax
    /// The most device `printf` output of one reply, in bytes.
    static let printfByteCountMax = 128 << 10

    private let connection: Connection
    private var frame: [UInt8] = []

    init(connection: Connection) {
        self.connection = connection
    }

    /// Sends one reply; false when the connection ended.
    func send(_ parts: Parts, output: [UInt8], sequence: UInt64) -> Bool {
        let message = parts.message.prefix(WireLimits.messageByteCountMax)
        let bodyByteCount = ReplyHeader.byteCount + parts.printf.count + message.count + output.count
        frame.removeAll(keepingCapacity: true)
        frame.append(contentsOf: repeatElement(0, count: FrameHeader.byteCount + ReplyHeader.byteCount))
        frame.withUnsafeMutableBytes { bytes in
            var writer = WireWriter(into: bytes)
            FrameHeader(
                bodyByteCount: UInt32(truncatingIfNeeded: bodyByteCount), kind: .reply, count: 0, sequence: sequence
            ).encode(into: &writer)
            ReplyHeader(
                status: parts.status, deferredStatus: parts.deferredStatus,
                outputByteCount: UInt32(truncatingIfNeeded: output.count),
                printfByteCount: UInt32(truncatingIfNeeded: parts.printf.count),
                messageByteCount: UInt32(truncatingIfNeeded: message.count), bulkByteCount: parts.bulkByteCount
            ).encode(into: &writer)
        }
        frame.append(contentsOf: parts.printf)
        frame.append(contentsOf: message)
        frame.append(contentsOf: output)
        return frame.withUnsafeBytes { connection.send($0) }
    }
}

extension Connection {
    /// Writes all bytes; false when the connection ended.
    func send(_ bytes: UnsafeRawBufferPointer) -> Bool {
        do throws(TransportError) {
            try write(bytes)
            return true
        } catch {
            return false
        }
    }

    /// Fills the buffer; false when the connection ended.
    func receive(_ buffer: UnsafeMutableRawBufferPointer) -> Bool {
        do throws(TransportError) {
            try read(exactly: buffer)
            return true
        } catch {
            return false
        }
    }
}
