/// A release of Roost: `major.minor.patch`.
public struct ReleaseVersion: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Counts changes that break what came before; 0 until the first stable release.
    public var major: Int
    /// Counts releases that others are compatible with; between those with major 0 this breaks too.
    public var minor: Int
    /// Counts corrections.
    public var patch: Int

    /// The release of this build.
    public static let current = ReleaseVersion(major: 0, minor: 1, patch: 0)

    /// Names a release.
    public init(major: Int, minor: Int, patch: Int) {
        self.major = major
        self.minor = minor
        self.patch = patch
    }

    /// Parses `1.2.3`; what follows a `-` or `+` names a build of it and is left out. Nil when it is none.
    public init?(_ text: String) {
        let core = text.prefix { $0 != "-" && $0 != "+" }
        let parts = core.split(separator: ".", omittingEmptySubsequences: false)
        let numbers = parts.compactMap { part in
            part.allSatisfy { $0.isASCII && $0.isNumber } ? Int(part) : nil
        }
        guard parts.count == 3, numbers.count == 3 else { return nil }
        self.init(major: numbers[0], minor: numbers[1], patch: numbers[2])
    }

    /// The text that ``init(_:)`` parses.
    public var description: String { "\(major).\(minor).\(patch)" }

    /// Whether a release came before another.
    public static func < (one: ReleaseVersion, other: ReleaseVersion) -> Bool {
        (one.major, one.minor, one.patch) < (other.major, other.minor, other.patch)
    }
}

extension ReleaseVersion {
    /// How an agent's release stands to that of the control plane.
    public enum Skew: Sendable, Hashable {
        /// They go together: the same minor release, or the agent's is the one before.
        case compatible
        /// The agent is too old to be understood.
        case tooOld
        /// The agent knows what the control plane does not: servers go first.
        case tooNew
    }

    /// How an agent of `other` goes with a control plane of this release. Servers are upgraded first, then node after
    /// node, so an agent may be one minor release behind and is never ahead of it.
    public func skew(of other: ReleaseVersion) -> Skew {
        if other.major != major { return other.major < major ? .tooOld : .tooNew }
        if other.minor > minor { return .tooNew }
        return minor - other.minor > 1 ? .tooOld : .compatible
    }
}
