import AsyncHTTPClient
import FleetStore
import Foundation
import NIOCore
import NIOFoundationCompat

/// One watch at one member, opened anew at the next one when it breaks, after what was delivered. One task runs it.
struct EtcdWatchStream {
    /// Where its messages go.
    struct Sink: Sendable {
        /// The watch stands, or it cannot.
        var opened: @Sendable (StoreError?) -> Void
        /// Whole revisions, up to one; false when nobody listens any more.
        var deliver: @Sendable (_ changes: [StoreChange], _ through: Revision) -> Bool
        /// The watch cannot go on.
        var fail: @Sendable (StoreError) -> Void
    }

    private let client: EtcdClient
    private let options: EtcdOptions
    private let prefix: StorePrefix
    private let sink: Sink
    private var delivered: Revision
    private var isOpen = false
    private var failuresInTurn = 0

    /// Bytes that one message may have.
    private static let maximumLineByteCount = 64 << 20

    init(client: EtcdClient, options: EtcdOptions, prefix: StorePrefix, after: Revision, sink: Sink) {
        self.client = client
        self.options = options
        self.prefix = prefix
        self.sink = sink
        delivered = after
    }

    /// Works until its task is cancelled, nobody listens, or no member can go on.
    mutating func run() async {
        while !Task.isCancelled {
            do throws(StoreError) {
                guard try await runOnce() else { return }
            } catch {
                if Task.isCancelled { break }
                failuresInTurn += 1
                client.moveOn()
                let isFinal = error.code != .unavailable || failuresInTurn >= 2 * options.endpoints.count
                if isFinal { return end(error) }
            }
        }
        end(StoreError(.unavailable, "the watch was cancelled"))
    }

    private func end(_ error: StoreError) {
        if isOpen { sink.fail(error) } else { sink.opened(error) }
    }

    /// Reads one stream until it breaks, which throws; false when nobody listens.
    private mutating func runOnce() async throws(StoreError) -> Bool {
        let request = EtcdMessage.WatchRequest(
            create_request: .init(
                key: EtcdBytes(options.namespace + prefix.text),
                range_end: EtcdBytes(options.namespace + prefix.end),
                start_revision: EtcdNumber(delivered.rawValue + 1)))
        let body = try await client.stream("/v3/watch", request)
        var rest = ByteBuffer()
        do {
            for try await part in body {
                rest.writeImmutableBuffer(part)
                while let line = EtcdWatchStream.takeLine(&rest) {
                    guard try await take(line) else { return false }
                }
                guard rest.readableBytes <= EtcdWatchStream.maximumLineByteCount else {
                    throw StoreError(.unavailable, "etcd sends a message of more than 64 MiB")
                }
            }
        } catch {
            if let error = error as? StoreError { throw error }
            throw StoreError(.unavailable, "etcd's watch broke: \(error)")
        }
        throw StoreError(.unavailable, "etcd ended a watch without a reason")
    }

    private mutating func take(_ line: Data) async throws(StoreError) -> Bool {
        let message: EtcdMessage.WatchResponse
        do { message = try JSONDecoder().decode(EtcdMessage.WatchResponse.self, from: line) } catch {
            throw StoreError(.unavailable, "etcd's watch sends something else than its messages: \(error)")
        }
        guard let result = message.result else {
            throw StoreError(.unavailable, "etcd ended a watch: \(message.error?.message ?? "without a reason")")
        }
        if let compacted = result.compact_revision, compacted.value > 0 {
            throw .compacted(delivered, oldest: Revision(rawValue: compacted.value))
        }
        if result.canceled == true {
            throw StoreError(.unavailable, "etcd ended a watch: \(result.cancel_reason ?? "without a reason")")
        }
        if result.created == true { try await confirm() }
        let changes = try changes(result.events ?? [])
        // A message without events is a mark, unless it is the first; one with events may be of a later revision
        // than they are.
        let mark = result.created == true ? nil : result.header?.revision.map { Revision(rawValue: $0.value) }
        guard let reached = changes.last?.revision ?? mark, reached > delivered else { return true }
        delivered = reached
        failuresInTurn = 0
        return sink.deliver(changes, reached)
    }

    /// etcd takes a watch that begins at the very revision up to which it was compacted, though removals of that
    /// revision are gone. A read of the revision before is refused in that case, and so is one of a revision that
    /// is still to come.
    private mutating func confirm() async throws(StoreError) {
        _ = try await client.call(
            "/v3/kv/range",
            EtcdMessage.RangeRequest(
                key: EtcdBytes(options.namespace + prefix.text), revision: EtcdNumber(max(delivered.rawValue, 1)),
                count_only: true),
            .read, as: EtcdMessage.RangeResponse.self)
        if !isOpen { sink.opened(nil) }
        isOpen = true
    }

    private func changes(_ events: [EtcdMessage.Event]) throws(StoreError) -> [StoreChange] {
        var changes: [StoreChange] = []
        var open: (revision: Revision, events: [StoreEvent])?
        for event in events {
            let revision = Revision(rawValue: event.kv.mod_revision?.value ?? 0)
            guard revision > delivered else { continue }
            if let done = open, done.revision != revision {
                changes.append(StoreChange(revision: done.revision, events: done.events))
                open = nil
            }
            let told: StoreEvent =
                event.type == "DELETE"
                ? .delete(try event.kv.storeKey(namespace: options.namespace))
                : .put(try event.kv.entry(namespace: options.namespace))
            open = (revision, (open?.events ?? []) + [told])
        }
        if let open { changes.append(StoreChange(revision: open.revision, events: open.events)) }
        return changes
    }

    private static func takeLine(_ buffer: inout ByteBuffer) -> Data? {
        guard let end = buffer.readableBytesView.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        let line = buffer.readData(length: end - buffer.readerIndex)
        buffer.moveReaderIndex(forwardBy: 1)
        if buffer.readableBytes == 0 { buffer.clear() } else { buffer.discardReadBytes() }
        return line
    }
}
