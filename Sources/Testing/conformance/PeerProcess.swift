internal import CCUDA
internal import CPosix
internal import CUDABinding
internal import Glibc

/// The second process of cases about sharing between processes. Arguments: driver, role, and what the role needs.
enum PeerProcess {
    static func serve(_ words: ArraySlice<String>) -> Int32 {
        _ = posix_die_with_parent(SIGKILL)
        let words = Array(words)
        guard words.count >= 2 else { return 2 }
        do {
            let trial = try Trial(try Driver.open(words[0]))
            switch words[1] {
            case "fault": try fault(trial)
            case "ipc-memory": try openMemory(trial, words[2...])
            case "ipc-event": try openEvent(trial, words[2...])
            case "virtual": try importMemory(trial, words[2...])
            default: return 2
            }
            return 0
        } catch {
            Output.complain("peer \(words[1]): \(error)")
            return 1
        }
    }

    /// Lets a kernel store where nothing is.
    private static func fault(_ trial: Trial) throws {
        try trial.launch(try trial.kernel("illegal", in: Kernels.illegalAddress), LaunchShape(1, 1))
        try expect(CUDA_ERROR_ILLEGAL_ADDRESS) { try trial.cuda.cuCtxSynchronize() }
    }

    /// Opens memory of the other process and changes it.
    private static func openMemory(_ trial: Trial, _ words: ArraySlice<String>) throws {
        var address: CUdeviceptr = 0
        try trial.cuda.cuIpcOpenMemHandle_v2(
            &address, try value(words.first), CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS.rawValue)
        try change(trial, address)
        try trial.cuda.cuIpcCloseMemHandle(address)
    }

    /// Waits for an event of the other process and looks at what was done before it.
    private static func openEvent(_ trial: Trial, _ words: ArraySlice<String>) throws {
        let cuda = trial.cuda
        var address: CUdeviceptr = 0
        var event: CUevent?
        try cuda.cuIpcOpenMemHandle_v2(
            &address, try value(words.first), CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS.rawValue)
        try cuda.cuIpcOpenEventHandle(&event, try value(words.last))
        try cuda.cuStreamWaitEvent(nil, event, 0)
        try requireEqual(try trial.download(address, 1024), [UInt32](repeating: 41, count: 1024))
        try cuda.cuEventSynchronize(event)
        try cuda.cuEventDestroy_v2(event)
        try cuda.cuIpcCloseMemHandle(address)
    }

    /// Maps physical memory that came as a descriptor and changes it.
    private static func importMemory(_ trial: Trial, _ words: ArraySlice<String>) throws {
        let cuda = trial.cuda
        guard let byteCount = words.first.flatMap({ Int($0) }) else { throw CaseFailure.failed("no size") }
        var piece: CUmemGenericAllocationHandle = 0
        let descriptor = UnsafeMutableRawPointer(bitPattern: UInt(Subprocess.passedDescriptor))
        try cuda.cuMemImportFromShareableHandle(&piece, descriptor, CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR)
        var address: CUdeviceptr = 0
        try cuda.cuMemAddressReserve(&address, byteCount, 0, 0, 0)
        try cuda.cuMemMap(address, byteCount, 0, piece, 0)
        var access = VirtualMemory.access(trial)
        try cuda.cuMemSetAccess(address, byteCount, &access, 1)
        try change(trial, address)
        try cuda.cuMemUnmap(address, byteCount)
        try cuda.cuMemRelease(piece)
        try cuda.cuMemAddressFree(address, byteCount)
    }

    private static func change(_ trial: Trial, _ address: CUdeviceptr) throws {
        try trial.launch(
            try trial.kernel("affine"), LaunchShape(4, 256), .address(address), .word(1000), .word(3), .word(1))
        try trial.cuda.cuCtxSynchronize()
    }

    /// A C structure from hexadecimal digits.
    private static func value<Value: BitwiseCopyable>(_ text: String?) throws -> Value {
        let digits = Array((text ?? "").utf8)
        guard digits.count == MemoryLayout<Value>.size * 2 else { throw CaseFailure.failed("no handle") }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: digits.count, by: 2) {
            let pair = String(decoding: digits[index..<index + 2], as: UTF8.self)
            guard let byte = UInt8(pair, radix: 16) else { throw CaseFailure.failed("no handle") }
            bytes.append(byte)
        }
        return bytes.withUnsafeBytes { $0.loadUnaligned(as: Value.self) }
    }
}
