import FleetModel

// vGPUs, workloads, projects and quotas.
extension FleetReading {
    func addVGPUs(to sheet: inout SampleSheet) {
        struct Place: Hashable {
            let project: String
            let pool: String
        }
        var phases: [Place: [VirtualGPUStatus.Phase: Int]] = [:]
        for vgpu in snapshot.vgpus {
            let project = vgpu.metadata.project ?? defaultProject
            let place = Place(project: project, pool: vgpu.spec.pool)
            phases[place, default: [:]][vgpu.status.phase, default: 0] += 1
            guard vgpu.status.phase != .ended, vgpu.status.phase != .lost else { continue }
            add(vgpu, project: project, to: &sheet)
        }
        for (place, counts) in phases {
            for phase in VirtualGPUStatus.Phase.allCases {
                sheet.add(.vgpus, [place.project, place.pool, phase.rawValue], Double(counts[phase] ?? 0))
            }
        }
    }

    private func add(_ vgpu: Resource<VirtualGPUSpec>, project: String, to sheet: inout SampleSheet) {
        let spec = vgpu.spec
        let labels = [project, spec.workload, vgpu.metadata.name, spec.pool, spec.node]
        let told = telemetry.vgpus[spec.node]?[vgpu.reference]
        let utilization = told?.utilization ?? vgpu.status.utilization?.ratio
        let used = told?.usedBytes ?? vgpu.status.usedMemory?.byteCount
        let count = Double(spec.devices.count)
        sheet.add(
            .vgpuMetadata,
            labels + [spec.devices.joined(separator: ","), spec.qos.rawValue, spec.isolation.rawValue], 1)
        sheet.add(.vgpuUtilization, labels, utilization)
        sheet.add(.vgpuComputeRequest, labels, spec.compute.request.ratio * count)
        sheet.add(.vgpuComputeLimit, labels, spec.compute.limit.ratio * count)
        sheet.add(.vgpuMemoryRequest, labels, spec.memory.request.byteCount * count)
        sheet.add(.vgpuMemoryLimit, labels, spec.memory.limit.byteCount * count)
        sheet.add(.vgpuMemoryUsed, labels, used)
        sheet.add(.vgpuThrottled, labels, told?.throttledSeconds)
        sheet.add(.vgpuResumed, labels, told?.resumeCount)
        // What a vGPU of several devices does is known of all together only, and DCGM's names are for one device.
        guard spec.devices.count == 1, let device = deviceByName[spec.node]?[spec.devices[0]] else { return }
        let ofDevice = dcgmLabels(device, vgpu: "\(project)/\(vgpu.metadata.name)")
        let limit = spec.memory.limit.byteCount
        sheet.add(.dcgmUtilization, ofDevice, utilization.map(percent))
        sheet.add(.dcgmMemoryUsed, ofDevice, used.map(mebibytes))
        sheet.add(.dcgmMemoryFree, ofDevice, used.map { mebibytes(max(0, limit - $0)) })
        sheet.add(.dcgmMemoryTotal, ofDevice, mebibytes(limit))
    }

    func addWorkloads(to sheet: inout SampleSheet) {
        typealias Phase = WorkloadStatus.Phase
        var phases: [String: [Phase: Int]] = [:]
        var replicas: [String: (wanted: Int64, placed: Int64, ready: Int64)] = [:]
        var oldest: [String: Double] = [:]
        for project in snapshot.projects {
            phases[project.metadata.name] = [:]
        }
        for workload in snapshot.workloads {
            let project = workload.metadata.project ?? defaultProject
            let status = workload.status
            phases[project, default: [:]][status.phase, default: 0] += 1
            guard status.phase != .succeeded, status.phase != .failed else { continue }
            var sums = replicas[project] ?? (0, 0, 0)
            sums.wanted += workload.spec.replicas ?? 1
            sums.placed += status.placed
            sums.ready += status.ready
            replicas[project] = sums
            if let since = status.waitingSince {
                oldest[project] = max(oldest[project] ?? 0, (snapshot.moment - since).seconds)
            }
        }
        for (project, counts) in phases {
            for phase in Phase.allCases {
                sheet.add(.workloads, [project, phase.rawValue], Double(counts[phase] ?? 0))
            }
            let sums = replicas[project] ?? (0, 0, 0)
            for (state, sum) in [("wanted", sums.wanted), ("placed", sums.placed), ("ready", sums.ready)] {
                sheet.add(.workloadReplicas, [project, state], Double(sum))
            }
            sheet.add(.oldestWait, [project], oldest[project] ?? 0)
        }
    }

    func addProjects(to sheet: inout SampleSheet) {
        for project in snapshot.projects {
            let labels = [project.metadata.name]
            let status = project.status
            sheet.add(.projectCompute, labels, status.allocated.compute?.ratio ?? 0)
            sheet.add(.projectMemory, labels, status.allocated.memory?.byteCount ?? 0)
            sheet.add(.projectFairShare, labels, status.fairShareMilliDevices.map { Double($0) / 1000 })
            sheet.add(.projectPending, labels, Double(status.pending ?? 0))
            sheet.add(.projectWeight, labels, project.spec.weight ?? 1)
        }
    }

    func addQuotas(to sheet: inout SampleSheet) {
        for quota in snapshot.quotas {
            let bounds = [
                ("requests", quota.spec.requests, quota.status.requests),
                ("limits", quota.spec.limits, quota.status.limits),
            ]
            for (bound, allowed, used) in bounds {
                guard let allowed else { continue }
                let used = used.plainAmounts
                for (resource, amount) in allowed.plainAmounts.sorted(by: { $0.key < $1.key }) {
                    let labels = [quota.metadata.name, quota.spec.project, bound, resource]
                    let part = amount > 0 ? (used[resource] ?? 0) / amount : nil
                    sheet.add(.quotaUsed, labels, part)
                    sheet.add(.quotaAlert, labels, quota.spec.alertAt?.ratio ?? 0.95)
                }
            }
        }
    }
}

extension ResourceAmounts {
    /// The amounts that are said, as plain numbers by their fields' names.
    fileprivate var plainAmounts: [String: Double] {
        var amounts: [String: Double] = [:]
        amounts["compute"] = compute?.ratio
        amounts["speed"] = speed?.teraflops
        amounts["memory"] = memory?.byteCount
        amounts["vgpus"] = vgpus.map(Double.init)
        amounts["workloads"] = workloads.map(Double.init)
        return amounts
    }
}
