import CFuzzer
import WireProtocol

/// Reads arbitrary bytes as each of the structures that arrive from a peer.
@c(LLVMFuzzerTestOneInput)
public func fuzzFrames(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = UnsafeRawBufferPointer(start: start, count: count)
    func attempt(_ read: (inout WireReader) throws(WireError) -> Void) {
        var reader = WireReader(bytes)
        try? read(&reader)
    }
    attempt { reader throws(WireError) in _ = try FrameHeader(from: &reader) }
    attempt { reader throws(WireError) in _ = try CommandHeader(from: &reader) }
    attempt { reader throws(WireError) in _ = try ReplyHeader(from: &reader) }
    attempt { reader throws(WireError) in _ = try Hello(from: &reader) }
    attempt { reader throws(WireError) in _ = try Welcome(from: &reader) }
    attempt { reader throws(WireError) in _ = try DeviceSnapshot(from: &reader) }
    attempt { reader throws(WireError) in _ = try ModuleSnapshot(from: &reader) }
    attempt { reader throws(WireError) in _ = try FunctionSnapshot(from: &reader) }
    attempt { reader throws(WireError) in _ = try VGPUStatus(from: &reader) }
    return 0
}

/// The program's entry, under the name that the package manager expects.
@c(FuzzFrames_main)
public func start(_ argumentCount: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?) -> CInt {
    var argumentCount = argumentCount
    var arguments = arguments
    return LLVMFuzzerRunDriver(&argumentCount, &arguments) { fuzzFrames($0, $1) }
}
