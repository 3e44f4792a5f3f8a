internal import PTX

extension Decoder {
    mutating func decodeCollective(_ operation: Operation) throws(PTXError) {
        throw operation.unsupported
    }
}
