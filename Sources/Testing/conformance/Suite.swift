/// All cases, in the order in which they run.
enum Suite {
    static let cases: [ConformanceCase] =
        initCases + deviceCases + contextCases + memoryCases + hostMemoryCases + managedCases + copyCases
        + errorCases + streamCases + eventCases + moduleCases + launchCases + poolCases + virtualMemoryCases
        + captureCases + graphCases + arrayCases + streamMemoryCases + sharingCases
}

/// How long measurements take.
enum Pace {
    // SAFETY: set once, before any case runs, while the process has one thread.
    nonisolated(unsafe) static var isQuick = false
}
