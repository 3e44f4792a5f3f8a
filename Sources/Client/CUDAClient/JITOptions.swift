internal import CCUDA

/// The options of a just-in-time compilation that this client acts on: where the logs go.
struct JITOptions {
    private var informationLog: UnsafeMutablePointer<CChar>?
    private var informationCapacity = 0
    private var informationSizeSlot: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
    private var errorLog: UnsafeMutablePointer<CChar>?
    private var errorCapacity = 0
    private var errorSizeSlot: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
    /// The most registers that a thread of a kernel may use; 0 for no limit.
    private(set) var registerLimit: UInt32 = 0

    init() {}

    /// Reads the options; nil when the lists are missing.
    init?(
        count: UInt32, options: UnsafeMutablePointer<CUjit_option>?,
        values: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
    ) {
        guard count > 0 else { return }
        guard let options, let values, count <= 1024 else { return nil }
        for index in 0..<Int(count) {
            let value = values[index]
            let slot = values + index
            switch options[index] {
            case CU_JIT_INFO_LOG_BUFFER: informationLog = value?.assumingMemoryBound(to: CChar.self)
            case CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES:
                informationCapacity = Int(UInt32(truncatingIfNeeded: UInt(bitPattern: value)))
                informationSizeSlot = slot
            case CU_JIT_ERROR_LOG_BUFFER: errorLog = value?.assumingMemoryBound(to: CChar.self)
            case CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES:
                errorCapacity = Int(UInt32(truncatingIfNeeded: UInt(bitPattern: value)))
                errorSizeSlot = slot
            case CU_JIT_MAX_REGISTERS: registerLimit = UInt32(truncatingIfNeeded: UInt(bitPattern: value))
            case CU_JIT_WALL_TIME: slot.pointee = nil
            default: break
            }
        }
    }

    /// Whether the program wants to read a log.
    var hasLogs: Bool { informationLog != nil || errorLog != nil }

    /// The same without the logs: their memory is the program's only during the call that named them.
    var withoutLogs: JITOptions {
        var options = JITOptions()
        options.registerLimit = registerLimit
        return options
    }

    /// Puts the worker's message where the program wants it: an error's text in the error log, else in the other.
    func deliver(_ message: UnsafeRawBufferPointer, isError: Bool) {
        let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
        JITOptions.write(isError ? message : nothing, errorLog, errorCapacity, errorSizeSlot)
        JITOptions.write(isError ? nothing : message, informationLog, informationCapacity, informationSizeSlot)
    }

    private static func write(
        _ text: UnsafeRawBufferPointer, _ log: UnsafeMutablePointer<CChar>?, _ capacity: Int,
        _ sizeSlot: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
    ) {
        guard let log, capacity > 0 else { return }
        let count = min(text.count, capacity &- 1)
        for index in 0..<count { log[index] = CChar(bitPattern: text[index]) }
        log[count] = 0
        // The size comes back as the bytes that were written, in place of the value.
        sizeSlot?.pointee = UnsafeMutableRawPointer(bitPattern: count == 0 ? 0 : count &+ 1)
    }
}
