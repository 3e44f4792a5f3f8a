// Pools, nodes and devices.
extension Metric {
    static let fleetMetrics: [Metric] = [
        nodes, poolReadyNodes, poolDevices, poolComputeCapacity, poolComputeAllocated, poolMemoryCapacity,
        poolMemoryAllocated, poolSpeedCapacity, nodeMetadata, nodeReady, nodeUnschedulable, nodeHeartbeat, nodeDevices,
        nodeVGPUs, nodeComputeAllocated, nodeMemoryCapacity, nodeMemoryAllocated, deviceMetadata, deviceHealthy,
        deviceVGPUs, deviceSpeed, deviceComputeAllocated, deviceUtilization, deviceMemory, deviceMemoryAllocated,
        deviceMemoryUsed, deviceIdle, deviceTemperature, devicePower,
    ]

    private static let ofDevice = ["pool", "node", "device", "model"]
    private static let ofNode = ["pool", "node"]

    static let nodes = Metric("roost_nodes", labels: ["pool", "phase"], "Nodes, by where they are in their life.")
    static let poolReadyNodes = Metric("roost_pool_ready_nodes", labels: ["pool"], "Nodes that are ready.")
    static let poolDevices = Metric(
        "roost_pool_devices", labels: ["pool"], "Devices that are healthy and on ready nodes.")
    static let poolComputeCapacity = Metric(
        "roost_pool_compute_capacity_devices", unit: "devices", labels: ["pool"],
        "Compute that may be promised, oversold parts included; 1 is a whole device.")
    static let poolComputeAllocated = Metric(
        "roost_pool_compute_allocated_devices", unit: "devices", labels: ["pool"],
        "Compute that is promised; 1 is a whole device.")
    static let poolMemoryCapacity = Metric(
        "roost_pool_memory_capacity_bytes", unit: "bytes", labels: ["pool"],
        "Device memory that may be promised, oversold parts included.")
    static let poolMemoryAllocated = Metric(
        "roost_pool_memory_allocated_bytes", unit: "bytes", labels: ["pool"], "Device memory that is promised.")
    static let poolSpeedCapacity = Metric(
        "roost_pool_speed_teraflops", unit: "TFLOPS", labels: ["pool"],
        "Speed in half precision of all devices whose speed is known.")

    static let nodeMetadata = Metric(
        "roost_node_info", .info, labels: ["pool", "node", "version"], "A node and its agent's version.")
    static let nodeReady = Metric("roost_node_ready", labels: ofNode, "1 where the node's phase is Ready.")
    static let nodeUnschedulable = Metric(
        "roost_node_unschedulable", labels: ofNode, "1 where nothing new is placed on the node.")
    static let nodeHeartbeat = Metric(
        "roost_node_heartbeat_timestamp_seconds", unit: "seconds", labels: ofNode,
        "When the node was last heard of, since 1970.")
    static let nodeDevices = Metric("roost_node_devices", labels: ofNode, "Devices of the node.")
    static let nodeVGPUs = Metric(
        "roost_node_vgpus", labels: ofNode, "vGPUs that the node has and that have not ended.")
    static let nodeComputeAllocated = Metric(
        "roost_node_compute_allocated_devices", unit: "devices", labels: ofNode,
        "Compute of the node that is promised; 1 is a whole device.")
    static let nodeMemoryCapacity = Metric(
        "roost_node_memory_bytes", unit: "bytes", labels: ofNode, "Memory of the node's devices.")
    static let nodeMemoryAllocated = Metric(
        "roost_node_memory_allocated_bytes", unit: "bytes", labels: ofNode,
        "Device memory of the node that is promised.")

    static let deviceMetadata = Metric(
        "roost_device_info", .info, labels: ofDevice + ["vendor", "uuid"], "A device, its maker and its UUID.")
    static let deviceHealthy = Metric("roost_device_healthy", labels: ofDevice, "1 where the device works.")
    static let deviceVGPUs = Metric("roost_device_vgpus", labels: ofDevice, "vGPUs that are parts of the device.")
    static let deviceSpeed = Metric(
        "roost_device_speed_teraflops", unit: "TFLOPS", labels: ofDevice,
        "Speed in half precision; left out where it is not known.")
    static let deviceComputeAllocated = Metric(
        "roost_device_compute_allocated_ratio", unit: "ratio", labels: ofDevice,
        "The part of the device's compute that is promised; above 1 where it is oversold.")
    static let deviceUtilization = Metric(
        "roost_device_utilization_ratio", unit: "ratio", labels: ofDevice,
        "The part of time in which the device computed, over the last seconds.")
    static let deviceMemory = Metric(
        "roost_device_memory_bytes", unit: "bytes", labels: ofDevice, "All memory that vGPUs can take.")
    static let deviceMemoryAllocated = Metric(
        "roost_device_memory_allocated_bytes", unit: "bytes", labels: ofDevice, "Memory of the device that is promised."
    )
    static let deviceMemoryUsed = Metric(
        "roost_device_memory_used_bytes", unit: "bytes", labels: ofDevice, "Memory in use by programs.")
    static let deviceIdle = Metric(
        "roost_device_idle", labels: ofDevice,
        "1 where the device computes less than 1 % of the time and less than 5 % of its memory is in use.")
    static let deviceTemperature = Metric(
        "roost_device_temperature_celsius", unit: "celsius", labels: ofDevice,
        "Temperature; left out where the node does not tell.")
    static let devicePower = Metric(
        "roost_device_power_watts", unit: "watts", labels: ofDevice,
        "Electrical power; left out where the node does not tell.")
}
