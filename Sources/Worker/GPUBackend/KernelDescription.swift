/// What a backend knows of a kernel when its module is loaded, without more work.
public enum KernelDescription: Sendable {
    /// It has to be asked for: ``BackendModule/function(named:)``.
    case unknown
    /// Its parameters; the rest shows when it is compiled.
    case parameters([(offset: UInt32, byteCount: UInt32)])
    case complete(parameters: [(offset: UInt32, byteCount: UInt32)], attributes: [Int32])
    /// ``BackendModule/function(named:)`` would throw this.
    case failed(BackendError)
}

extension BackendModule {
    /// A description for each of ``kernelNames``, or fewer. Called once, after the module was loaded; does not compile.
    public var kernelDescriptions: [KernelDescription] { [] }
}
