/// All cases, in the order in which they run.
enum Suite {
    /// Those whose kernels fault come last: should a device not recover, all others have been run.
    static let cases: [ConformanceCase] =
        initCases + deviceCases + contextCases + memoryCases + hostMemoryCases + managedCases + copyCases
        + streamCases + eventCases + moduleCases + launchCases + poolCases + virtualMemoryCases + captureCases
        + graphCases + arrayCases + tensorMapCases + streamMemoryCases + sharingCases + measureCases + errorCases
}

/// How long measurements take.
enum Pace {
    // SAFETY: set once, before any case runs, while the process has one thread.
    nonisolated(unsafe) static var isQuick = false
}
