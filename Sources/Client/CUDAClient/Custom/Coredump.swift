public import CCUDA
internal import CPosix
internal import ClientRuntime
internal import Primitives

/// The settings of core dumps by `CUcoredumpSettings`. They are kept and shown; no dump is ever written, since a
/// fault's text goes to the worker's log.
struct CoredumpSettings {
    /// On exception, on the host too, lightweight, on a user's wish: the settings 1 to 4.
    var switches: [Bool] = [false, false, true, false, false]
    var file: [UInt8] = []
    var pipe: [UInt8] = []
    var flags: UInt32 = 0
    static let textByteCountMax = 1023

    /// The bytes of a setting; nil for one that does not exist.
    func bytes(_ setting: CUcoredumpSettings) -> [UInt8]? {
        switch setting {
        case CU_COREDUMP_FILE: return file + [0]
        case CU_COREDUMP_PIPE: return pipe + [0]
        case CU_COREDUMP_GENERATION_FLAGS: return (0..<4).map { UInt8(truncatingIfNeeded: flags >> UInt32($0 &* 8)) }
        default:
            let index = Int(setting.rawValue)
            return index >= 1 && index <= 4 ? [switches[index] ? 1 : 0] : nil
        }
    }

    /// Takes a setting over; false when the value is not one.
    mutating func set(_ setting: CUcoredumpSettings, _ value: UnsafeRawBufferPointer) -> Bool {
        switch setting {
        case CU_COREDUMP_FILE, CU_COREDUMP_PIPE:
            var text: [UInt8] = []
            for byte in value {
                if byte == 0 { break }
                text.append(byte)
            }
            guard text.count <= CoredumpSettings.textByteCountMax else { return false }
            if setting == CU_COREDUMP_FILE { file = text } else { pipe = text }
        case CU_COREDUMP_GENERATION_FLAGS:
            guard value.count >= 4 else { return false }
            flags = value.loadUnaligned(as: UInt32.self)
        default:
            let index = Int(setting.rawValue)
            guard index >= 1, index <= 4, value.count >= 1 else { return false }
            switches[index] = value[0] != 0
        }
        return true
    }
}

extension CUDADriver {
    // SAFETY: only touched under `tablesLock`.
    nonisolated(unsafe) private static var globalCoredump = CoredumpSettings()

    private static func read(
        _ settings: CoredumpSettings, _ setting: CUcoredumpSettings, _ value: UnsafeMutableRawPointer?,
        _ size: UnsafeMutablePointer<Int>?
    ) -> CUresult {
        guard let size, let bytes = settings.bytes(setting) else { return CUDA_ERROR_INVALID_VALUE }
        guard let value else {
            size.pointee = bytes.count
            return CUDA_SUCCESS
        }
        guard size.pointee >= 0 else { return CUDA_ERROR_INVALID_VALUE }
        let count = min(size.pointee, bytes.count)
        for index in 0..<count { value.storeBytes(of: bytes[index], toByteOffset: index, as: UInt8.self) }
        size.pointee = count
        return CUDA_SUCCESS
    }

    private static func write(
        _ settings: inout CoredumpSettings, _ setting: CUcoredumpSettings, _ value: UnsafeMutableRawPointer?,
        _ size: UnsafeMutablePointer<Int>?
    ) -> CUresult {
        guard let value, let size, size.pointee > 0, size.pointee <= 1 << 16 else { return CUDA_ERROR_INVALID_VALUE }
        let bytes = UnsafeRawBufferPointer(start: value, count: size.pointee)
        return settings.set(setting, bytes) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE
    }

    /// The corresponding C function is `cuCoredumpGetAttribute`.
    public static func coredumpGetAttribute(
        _ setting: CUcoredumpSettings, _ value: UnsafeMutableRawPointer?, _ size: UnsafeMutablePointer<Int>?
    ) -> CUresult {
        withContext { target in
            tablesLock.acquire()
            defer { tablesLock.release() }
            return read(details(of: target.context).coredump ?? globalCoredump, setting, value, size)
        }
    }

    /// The corresponding C function is `cuCoredumpGetAttributeGlobal`.
    public static func coredumpGetAttributeGlobal(
        _ setting: CUcoredumpSettings, _ value: UnsafeMutableRawPointer?, _ size: UnsafeMutablePointer<Int>?
    ) -> CUresult {
        guard Session.isReady else { return CUresult(status: Session.status) }
        tablesLock.acquire()
        defer { tablesLock.release() }
        return read(globalCoredump, setting, value, size)
    }

    /// The corresponding C function is `cuCoredumpSetAttribute`.
    public static func coredumpSetAttribute(
        _ setting: CUcoredumpSettings, _ value: UnsafeMutableRawPointer?, _ size: UnsafeMutablePointer<Int>?
    ) -> CUresult {
        withContext { target in
            tablesLock.acquire()
            defer { tablesLock.release() }
            let details = details(of: target.context)
            var settings = details.coredump ?? globalCoredump
            let status = write(&settings, setting, value, size)
            if status == CUDA_SUCCESS { details.coredump = settings }
            return status
        }
    }

    /// The corresponding C function is `cuCoredumpSetAttributeGlobal`.
    public static func coredumpSetAttributeGlobal(
        _ setting: CUcoredumpSettings, _ value: UnsafeMutableRawPointer?, _ size: UnsafeMutablePointer<Int>?
    ) -> CUresult {
        guard Session.isReady else { return CUresult(status: Session.status) }
        tablesLock.acquire()
        defer { tablesLock.release() }
        return write(&globalCoredump, setting, value, size)
    }
}
