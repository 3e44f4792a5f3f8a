/// What quotas count.
public enum QuotaResource: Int, Sendable, Hashable, CaseIterable {
    /// Shares of devices, in thousandths of a device.
    case compute
    /// Speed, in thousandths of a TFLOPS.
    case speed
    /// Device memory, in mebibytes.
    case memory
    /// Parts of devices, counted each.
    case vgpus
    /// Workloads, counted each.
    case workloads

    /// An amount with its unit and what it is of, for a sentence.
    public func text(_ amount: Int64) -> String {
        switch self {
        case .compute: "\(short(amount)) of compute"
        case .memory: "\(short(amount)) of memory"
        case .speed, .vgpus, .workloads: short(amount)
        }
    }

    /// An amount with its unit, where it is clear what it is of.
    public func short(_ amount: Int64) -> String {
        switch self {
        case .compute: amount == 1000 ? "1 device" : "\(QuotaResource.decimal(amount, per: 1000)) devices"
        case .speed: "\(QuotaResource.decimal(amount, per: 1000)) TFLOPS"
        case .memory where amount < 1024: "\(amount) MiB"
        case .memory: "\(QuotaResource.decimal(amount, per: 1024)) GiB"
        case .vgpus: amount == 1 ? "1 vGPU" : "\(amount) vGPUs"
        case .workloads: amount == 1 ? "1 workload" : "\(amount) workloads"
        }
    }

    /// A quotient with up to three decimals, rounded up so that what is missing never reads as zero.
    private static func decimal(_ amount: Int64, per unit: Int64) -> String {
        let (whole, rest) = amount.quotientAndRemainder(dividingBy: unit)
        let thousandths = (rest * 1000 + unit - 1) / unit
        if thousandths == 0 { return "\(whole)" }
        if thousandths == 1000 { return "\(whole + 1)" }
        var digits = String(1000 + thousandths).dropFirst()
        while digits.last == "0" { digits = digits.dropLast() }
        return "\(whole).\(digits)"
    }
}

/// An amount of each resource. Arithmetic saturates: it neither overflows nor falls below zero.
public struct ResourceVector: Sendable, Hashable {
    /// Thousandths of devices.
    public var milliDevices: Int64
    /// Thousandths of TFLOPS.
    public var milliTeraflops: Int64
    /// Device memory in mebibytes.
    public var mebibytes: Int64
    /// Parts of devices.
    public var vgpus: Int64
    /// Workloads.
    public var workloads: Int64

    /// Sets the amounts; what is left out is zero.
    @inlinable
    public init(
        milliDevices: Int64 = 0, milliTeraflops: Int64 = 0, mebibytes: Int64 = 0, vgpus: Int64 = 0,
        workloads: Int64 = 0
    ) {
        self.milliDevices = milliDevices
        self.milliTeraflops = milliTeraflops
        self.mebibytes = mebibytes
        self.vgpus = vgpus
        self.workloads = workloads
    }

    /// The same amount of each resource.
    @inlinable
    public init(repeating amount: Int64) {
        self.init(
            milliDevices: amount, milliTeraflops: amount, mebibytes: amount, vgpus: amount, workloads: amount)
    }

    /// Nothing.
    public static let zero = ResourceVector()
    /// No bound: as a cap, everything fits; as a capacity, nobody has to share.
    public static let unlimited = ResourceVector(repeating: .max)
    /// The most of each resource that one request counts as, so that no sum of requests ever saturates.
    public static let largestRequest = ResourceVector(repeating: 1 << 44)

    /// One resource's amount.
    @inlinable
    public subscript(_ resource: QuotaResource) -> Int64 {
        get {
            switch resource {
            case .compute: milliDevices
            case .speed: milliTeraflops
            case .memory: mebibytes
            case .vgpus: vgpus
            case .workloads: workloads
            }
        }
        set {
            switch resource {
            case .compute: milliDevices = newValue
            case .speed: milliTeraflops = newValue
            case .memory: mebibytes = newValue
            case .vgpus: vgpus = newValue
            case .workloads: workloads = newValue
            }
        }
    }

    /// Whether nothing is in it.
    public var isZero: Bool { self == .zero }

    /// Whether no resource's amount is above the other's.
    @inlinable
    public func fits(in other: ResourceVector) -> Bool {
        milliDevices <= other.milliDevices && milliTeraflops <= other.milliTeraflops && mebibytes <= other.mebibytes
            && vgpus <= other.vgpus && workloads <= other.workloads
    }

    /// Both together.
    @inlinable
    public static func + (left: ResourceVector, right: ResourceVector) -> ResourceVector {
        combine(left, right) { one, other in
            let (sum, overflow) = one.addingReportingOverflow(other)
            return overflow ? .max : max(0, sum)
        }
    }

    /// What is left, at least zero. Of what is unlimited the same is left.
    @inlinable
    public static func - (left: ResourceVector, right: ResourceVector) -> ResourceVector {
        combine(left, right) { one, other in one == .max ? .max : max(0, one - max(0, other)) }
    }

    /// Adds.
    @inlinable
    public static func += (left: inout ResourceVector, right: ResourceVector) { left = left + right }

    /// Takes away, down to zero.
    @inlinable
    public static func -= (left: inout ResourceVector, right: ResourceVector) { left = left - right }

    /// So many times as much.
    public func times(_ factor: Int64) -> ResourceVector {
        ResourceVector.combine(self, ResourceVector(repeating: max(0, factor))) { one, other in
            let (product, overflow) = one.multipliedReportingOverflow(by: other)
            return overflow ? .max : max(0, product)
        }
    }

    /// The lesser amount of each resource.
    @inlinable
    public static func lesser(_ left: ResourceVector, _ right: ResourceVector) -> ResourceVector {
        combine(left, right) { min($0, $1) }
    }

    /// The amounts as a request counts them: none below zero, none above `largestRequest`.
    public var clamped: ResourceVector {
        ResourceVector.lesser(ResourceVector.combine(self, .zero) { max($0, $1) }, .largestRequest)
    }

    @inlinable @inline(__always)
    static func combine(
        _ left: ResourceVector, _ right: ResourceVector, _ operation: (Int64, Int64) -> Int64
    ) -> ResourceVector {
        ResourceVector(
            milliDevices: operation(left.milliDevices, right.milliDevices),
            milliTeraflops: operation(left.milliTeraflops, right.milliTeraflops),
            mebibytes: operation(left.mebibytes, right.mebibytes), vgpus: operation(left.vgpus, right.vgpus),
            workloads: operation(left.workloads, right.workloads))
    }
}
