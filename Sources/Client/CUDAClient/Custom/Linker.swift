public import CCUDA
internal import CPosix
internal import ClientRuntime
internal import WireProtocol

/// The inputs of a link that is going on.
final class LinkRecord {
    var inputs: [LinkBundle.Input] = []
    let options: JITOptions
    /// What `cuLinkComplete` handed out; lives until the link is destroyed.
    var output: UnsafeMutableRawPointer?

    init(options: JITOptions) { self.options = options }

    deinit { free(output) }
}

extension CUDADriver {
    /// The corresponding C function is `cuLinkCreate_v2`.
    public static func linkCreate(
        _ count: UInt32, _ options: UnsafeMutablePointer<CUjit_option>?,
        _ values: UnsafeMutablePointer<UnsafeMutableRawPointer?>?, _ result: UnsafeMutablePointer<CUlinkState?>?
    ) -> CUresult {
        guard let result, let parsed = JITOptions(count: count, options: options, values: values) else {
            return CUDA_ERROR_INVALID_VALUE
        }
        return withContext { target in
            let record = LinkRecord(options: parsed)
            let object = Unmanaged.passRetained(record)
            guard let made = makeHandle(.linkState, context: target.context, object: object.toOpaque()) else {
                object.release()
                return CUDA_ERROR_OUT_OF_MEMORY
            }
            result.pointee = made.handle
            return CUDA_SUCCESS
        }
    }

    private static func withLink(_ handle: CUlinkState?, _ body: (LinkRecord, CallTarget) -> CUresult) -> CUresult {
        withContext { target in
            guard let record = object(handle, .linkState, as: LinkRecord.self) else { return CUDA_ERROR_INVALID_HANDLE }
            return body(record, target)
        }
    }

    /// The corresponding C function is `cuLinkAddData_v2`.
    public static func linkAddData(
        _ handle: CUlinkState?, _ type: CUjitInputType, _ data: UnsafeMutableRawPointer?, _ byteCount: Int,
        _ name: UnsafePointer<CChar>?, _ count: UInt32, _ options: UnsafeMutablePointer<CUjit_option>?,
        _ values: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
    ) -> CUresult {
        guard let data, byteCount > 0 else { return CUDA_ERROR_INVALID_VALUE }
        return withLink(handle) { record, target in
            let content = UnsafeRawBufferPointer(start: data, count: byteCount)
            let name = name.map { [UInt8](bytes($0)) } ?? []
            return add(content, type, name, to: record, target)
        }
    }

    /// The corresponding C function is `cuLinkAddFile_v2`.
    public static func linkAddFile(
        _ handle: CUlinkState?, _ type: CUjitInputType, _ path: UnsafePointer<CChar>?, _ count: UInt32,
        _ options: UnsafeMutablePointer<CUjit_option>?, _ values: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
    ) -> CUresult {
        guard let path else { return CUDA_ERROR_INVALID_VALUE }
        return withLink(handle) { record, target in
            withFile(path) { content in add(content, type, [UInt8](bytes(path)), to: record, target) }
        }
    }

    private static func add(
        _ content: UnsafeRawBufferPointer, _ type: CUjitInputType, _ name: [UInt8], to record: LinkRecord,
        _ target: CallTarget
    ) -> CUresult {
        guard type.rawValue < CU_JIT_NUM_INPUT_TYPES.rawValue else { return CUDA_ERROR_INVALID_VALUE }
        guard record.output == nil else { return CUDA_ERROR_INVALID_HANDLE }
        var bytes = [UInt8](content)
        // A terminator is no part of the text.
        if type == CU_JIT_INPUT_PTX { while bytes.last == 0 { bytes.removeLast() } }
        let input = LinkBundle.Input(kind: type.rawValue, name: name, content: bytes)
        // A text that needs no other is checked at once, so that the program hears which one is wrong. What refers to
        // other inputs, and libraries, are checked when all are there.
        if type == CU_JIT_INPUT_PTX, !content.containsWord(".extern") {
            let status = check(LinkBundle.encode([input]), record, target)
            guard status == CUDA_SUCCESS else { return status }
        }
        record.inputs.append(input)
        return CUDA_SUCCESS
    }

    private static func check(_ bundle: [UInt8], _ record: LinkRecord, _ target: CallTarget) -> CUresult {
        bundle.withUnsafeBytes { bulk in
            var reply = LinkCheck.Reply()
            let status = target.call(LinkCheck(bulkByteCount: UInt64(bulk.count)), &reply, bulk: bulk)
            record.options.deliver(target.lane.message, isError: status != CUDA_SUCCESS)
            return status
        }
    }

    /// The corresponding C function is `cuLinkComplete`.
    public static func linkComplete(
        _ handle: CUlinkState?, _ result: UnsafeMutablePointer<UnsafeMutableRawPointer?>?,
        _ byteCount: UnsafeMutablePointer<Int>?
    ) -> CUresult {
        guard let result else { return CUDA_ERROR_INVALID_VALUE }
        return withLink(handle) { record, target in
            guard !record.inputs.isEmpty else { return CUDA_ERROR_INVALID_VALUE }
            let bundle = LinkBundle.encode(record.inputs, registerLimit: record.options.registerLimit)
            let status = check(bundle, record, target)
            guard status == CUDA_SUCCESS else { return status }
            if record.output == nil {
                guard let memory = malloc(max(64, bundle.count)) else { return CUDA_ERROR_OUT_OF_MEMORY }
                bundle.withUnsafeBytes { bytes in
                    if let start = bytes.baseAddress { CPosix.memcpy(memory, start, bytes.count) }
                }
                record.output = memory
            }
            result.pointee = record.output
            byteCount?.pointee = bundle.count
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuLinkDestroy`.
    public static func linkDestroy(_ handle: CUlinkState?) -> CUresult {
        guard Session.isReady else { return CUresult(status: Session.status) }
        guard let object = endHandle(handle, .linkState) else { return CUDA_ERROR_INVALID_HANDLE }
        Unmanaged<LinkRecord>.fromOpaque(object).release()
        return CUDA_SUCCESS
    }
}

extension UnsafeRawBufferPointer {
    /// Whether the bytes of `word` appear somewhere.
    func containsWord(_ word: StaticString) -> Bool {
        guard let start = baseAddress, count >= word.utf8CodeUnitCount else { return false }
        for offset in 0...(count &- word.utf8CodeUnitCount)
        where memcmp(start + offset, word.utf8Start, word.utf8CodeUnitCount) == 0 {
            return true
        }
        return false
    }
}
