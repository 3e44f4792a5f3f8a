import Foundation

/// A 64-bit number of etcd's JSON, which is a string, and is left out when it is 0.
struct EtcdNumber: Codable, Sendable {
    let value: Int64

    init(_ value: Int64) { self.value = value }

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let text = try? container.decode(String.self), let number = Int64(text) {
            value = number
        } else {
            value = try container.decode(Int64.self)
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode("\(value)")
    }
}

/// Bytes of etcd's JSON: base64.
struct EtcdBytes: Codable, Sendable {
    let bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    init(_ text: String) { bytes = Array(text.utf8) }

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let data = Data(base64Encoded: try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "not base64")
        }
        bytes = Array(data)
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(Data(bytes).base64EncodedString())
    }

    var text: String { String(decoding: bytes, as: UTF8.self) }
}

/// The messages of etcd's v3 API as its JSON gateway names them, as far as the engine uses them.
enum EtcdMessage {
    struct Header: Decodable, Sendable {
        var revision: EtcdNumber?
    }

    struct KeyValue: Decodable, Sendable {
        var key: EtcdBytes
        var value: EtcdBytes?
        var mod_revision: EtcdNumber?
        var create_revision: EtcdNumber?
    }

    struct RangeRequest: Encodable, Sendable {
        var key: EtcdBytes
        var range_end: EtcdBytes?
        var limit: EtcdNumber?
        var revision: EtcdNumber?
        var keys_only: Bool?
        var count_only: Bool?
    }

    struct RangeResponse: Decodable, Sendable {
        var header: Header?
        var kvs: [KeyValue]?
        var more: Bool?
    }

    struct PutRequest: Encodable, Sendable {
        var key: EtcdBytes
        var value: EtcdBytes
    }

    struct DeleteRequest: Encodable, Sendable {
        var key: EtcdBytes
    }

    /// One condition of a transaction; exactly one of the values is set, by its target.
    struct Compare: Encodable, Sendable {
        var key: EtcdBytes
        var target: String
        var result = "EQUAL"
        var create_revision: EtcdNumber?
        var mod_revision: EtcdNumber?
        var value: EtcdBytes?
    }

    /// Exactly one is set.
    struct Operation: Encodable, Sendable {
        var request_range: RangeRequest?
        var request_put: PutRequest?
        var request_delete_range: DeleteRequest?
        var request_txn: TransactionRequest?
    }

    struct TransactionRequest: Encodable, Sendable {
        var compare: [Compare]
        var success: [Operation]
        var failure: [Operation]
    }

    /// What an operation answers, as far as it is looked at.
    struct OperationResponse: Decodable, Sendable {
        var response_range: RangeResponse?
        var response_txn: InnerTransactionResponse?
    }

    struct InnerTransactionResponse: Decodable, Sendable {
        var succeeded: Bool?
        var responses: [InnerResponse]?
    }

    struct InnerResponse: Decodable, Sendable {
        var response_range: RangeResponse?
    }

    struct TransactionResponse: Decodable, Sendable {
        var header: Header?
        var succeeded: Bool?
        var responses: [OperationResponse]?
    }

    struct CompactionRequest: Encodable, Sendable {
        var revision: EtcdNumber
    }

    struct Empty: Decodable, Sendable {}

    struct WatchRequest: Encodable, Sendable {
        struct Create: Encodable, Sendable {
            var key: EtcdBytes
            var range_end: EtcdBytes
            var start_revision: EtcdNumber
            var progress_notify = true
        }

        var create_request: Create
    }

    struct Event: Decodable, Sendable {
        var type: String?
        var kv: KeyValue
    }

    struct WatchResponse: Decodable, Sendable {
        struct Body: Decodable, Sendable {
            var header: Header?
            var created: Bool?
            var canceled: Bool?
            var compact_revision: EtcdNumber?
            var cancel_reason: String?
            var events: [Event]?
        }

        struct Failure: Decodable, Sendable {
            var message: String?
        }

        var result: Body?
        var error: Failure?
    }

    /// What the gateway answers instead of a message.
    struct Failure: Decodable, Sendable {
        var message: String?
        var code: Int?
    }
}
