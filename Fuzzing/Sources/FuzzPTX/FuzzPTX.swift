import CFuzzer
import PTX

/// Reads arbitrary bytes as a module and parses every body.
@c(LLVMFuzzerTestOneInput)
public func fuzzPTX(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let text = [UInt8](UnsafeBufferPointer(start: start, count: count))
    guard let module = try? PTXModule(parsing: text) else { return 0 }
    for function in module.functions { _ = try? module.body(of: function) }
    return 0
}

/// The program's entry, under the name that the package manager expects.
@c(FuzzPTX_main)
public func start(_ argumentCount: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?) -> CInt {
    var argumentCount = argumentCount
    var arguments = arguments
    return LLVMFuzzerRunDriver(&argumentCount, &arguments) { fuzzPTX($0, $1) }
}
