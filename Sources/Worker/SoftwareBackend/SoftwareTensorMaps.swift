import GPUBackend
import Primitives

extension SoftwareContext {
    /// Clients know the layout and do not ask; the answer is the one that they find themselves.
    func encodeTensorMap(_ request: UnsafeRawBufferPointer) throws(BackendError) -> [UInt8] {
        guard request.count == TensorMapRequest.wordCount * 8,
            let wanted = TensorMapRequest(words: { request.loadUnaligned(fromByteOffset: $0 * 8, as: UInt64.self) }),
            wanted.isValid
        else { throw BackendError(BackendStatus.invalidValue, "the request for a tensor map is malformed") }
        let made: TensorMap?
        if wanted.kind == .replaceAddress {
            made = TensorMap(words: { wanted.map[$0] })
            guard made != nil else {
                throw BackendError(BackendStatus.invalidValue, "there is no tensor map to change")
            }
        } else {
            made = TensorMap(wanted)
        }
        guard var made else {
            throw BackendError(BackendStatus.notSupported, "the software GPU has no such tensor map")
        }
        made.address = wanted.address
        return (0..<TensorMap.wordCount).flatMap { index in
            withUnsafeBytes(of: made.word(index).littleEndian) { [UInt8]($0) }
        }
    }
}
