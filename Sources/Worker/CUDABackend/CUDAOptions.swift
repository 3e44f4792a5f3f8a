/// Which device of which driver a worker serves, and how it shows it.
public struct CUDAOptions: Sendable {
    /// The driver's library, with its folder.
    public var driverPath: String
    /// The device's ordinal in the driver.
    public var ordinal: Int32 = 0
    /// What programs see as the device's name; nil for its own.
    public var name: String?
    /// What programs see as the device's UUID; nil for its own.
    public var uuid: (high: UInt64, low: UInt64)?
    /// Takes over what the driver writes to the process's standard output: kernels print there.
    public var output: OutputCapture?

    public init(driverPath: String) {
        self.driverPath = driverPath
    }
}
