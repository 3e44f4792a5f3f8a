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
}
