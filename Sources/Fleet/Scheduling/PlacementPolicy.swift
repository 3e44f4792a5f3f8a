/// By which rule the best of the hosts that fit is found.
public enum PlacementPolicy: String, Sendable, Hashable, Codable, CaseIterable {
    /// Any host, any of its devices.
    case random
    /// Least alignment of request and free resources.
    case dotProduct
    /// Workloads of one size together.
    case gpuClustering
    /// Devices in use first, then hosts in use.
    case gpuPacking
    /// Least left over.
    case bestFit
    /// Fragmentation gradient descent as published: coarse scores, stable order.
    case fragmentationGradient
    /// Fragmentation gradient in coarse steps, then hosts in use before empty ones: what Roost uses.
    case roost
}
