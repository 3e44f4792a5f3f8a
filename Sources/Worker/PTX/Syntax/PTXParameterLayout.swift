extension PTXFunction {
    /// Where each parameter lies in the parameter buffer of a launch, in bytes: natural packing with alignment.
    public var parameterLayout: [(offset: Int, byteCount: Int)] {
        var end = 0
        return parameters.map { parameter in
            let offset = Self.aligned(end, to: parameter.alignment)
            end = Self.saturatingSum(offset, parameter.byteCount)
            return (offset, parameter.byteCount)
        }
    }

    /// Bytes that all parameters take, padding between them included.
    public var totalParameterBytes: Int {
        guard let last = parameterLayout.last else { return 0 }
        return Self.saturatingSum(last.offset, last.byteCount)
    }

    private static func aligned(_ offset: Int, to alignment: Int) -> Int {
        guard alignment > 1 else { return offset }
        let rest = offset % alignment
        return rest == 0 ? offset : saturatingSum(offset, alignment - rest)
    }

    private static func saturatingSum(_ a: Int, _ b: Int) -> Int {
        let (sum, overflow) = a.addingReportingOverflow(b)
        return overflow ? Int.max : sum
    }
}
