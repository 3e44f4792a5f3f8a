import CPosix

/// Where a machine keeps its GPU's driver.
public enum SystemDriver {
    private static let folders = [
        "/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/local/nvidia/lib64", "/usr/local/nvidia/lib",
        "/usr/local/cuda/compat", "/usr/lib/wsl/lib", "/run/opengl-driver/lib", "/usr/lib",
    ]

    /// The library of the driver, or nil where the machine has none. Never one that the environment names, since the
    /// programs of this package put their own in its place that way.
    public static func path() -> String? {
        for folder in folders {
            let path = folder + "/libcuda.so.1"
            if posix_file_exists(path) { return path }
        }
        return nil
    }
}
