/** How many events came when; dragging over it selects a time. */
import { useEffect, useRef, useState } from 'preact/hooks'
import uPlot from 'uplot'
import { amount, clockTime, dayOf, shortTime } from '../../core/readable.ts'
import type { TimeCounts } from './use-overview.ts'

const HEIGHT_PX = 96
const SELECT_PX_MIN = 4

/** Labels of the time axis, by the seconds between two of them; 24 hours whatever the locale. */
function timeLabels(splits: number[], stepSeconds: number): string[] {
  return splits.map((seconds) => {
    const text = `${dayOf(seconds * 1000).slice(5)} ${clockTime(seconds * 1000)}`
    return stepSeconds < 60 ? text.slice(6, 14) : stepSeconds < 86_400 ? text.slice(6, 11) : text.slice(0, 5)
  })
}

interface ChartHooks {
  onSelect(fromMs: number, toMs: number): void
  onHover(index: number | undefined): void
}

function colours(element: HTMLElement) {
  const style = getComputedStyle(element)
  const of = (name: string) => style.getPropertyValue(name).trim()
  return { bar: of('--accent'), grid: of('--line'), text: of('--dim'), font: `11px ${of('--sans')}` }
}

function optionsFor(element: HTMLElement, range: () => [number, number], hooks: ChartHooks): uPlot.Options {
  const { bar, grid, text, font } = colours(element)
  const axis = { stroke: text, font, ticks: { show: false } }
  return {
    width: element.clientWidth,
    height: HEIGHT_PX,
    legend: { show: false },
    padding: [8, 8, 0, 0],
    cursor: { y: false, points: { show: false }, drag: { x: true, y: false, setScale: false } },
    scales: { x: { time: true, range }, y: { range: (_chart, _min, max) => [0, Math.max(1, max * 1.05)] } },
    axes: [
      {
        ...axis,
        size: 22,
        grid: { show: false },
        values: (_chart, splits, _axis, _space, step) => timeLabels(splits, step),
      },
      {
        ...axis,
        size: 44,
        grid: { stroke: grid, width: 1 },
        splits: (chart) => [0, Math.max(1, ...(chart.data[1] as number[]))],
        values: (_chart, at) => at.map(amount),
      },
    ],
    series: [
      {},
      {
        fill: bar,
        width: 0,
        points: { show: false },
        paths: uPlot.paths.bars!({ size: [0.85, 64], align: 1, radius: 0.15 }),
      },
    ],
    hooks: {
      setSelect: [
        (chart) => {
          const { left, width } = chart.select
          if (width < SELECT_PX_MIN) return
          hooks.onSelect(
            Math.floor(chart.posToVal(left, 'x') * 1000),
            Math.ceil(chart.posToVal(left + width, 'x') * 1000),
          )
          chart.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false)
        },
      ],
      setCursor: [(chart) => hooks.onHover(chart.cursor.idx ?? undefined)],
    },
  }
}

function dataOf({ fromMs, bucketMs, counts }: TimeCounts): uPlot.AlignedData {
  return [counts.map((_, index) => (fromMs + index * bucketMs) / 1000), [...counts]]
}

interface TimeChartProps {
  readonly counts: TimeCounts | undefined
  onSelect(fromMs: number, toMs: number): void
}

/** Keeps one chart, made anew when the colour scheme changes. */
function useChart({ counts, onSelect }: TimeChartProps, onHover: ChartHooks['onHover']) {
  const place = useRef<HTMLDivElement>(null)
  const chart = useRef<uPlot>(undefined)
  const latest = useRef({ counts, onSelect })
  latest.current = { counts, onSelect }
  useEffect(() => {
    const element = place.current!
    const range = (): [number, number] => {
      const shown = latest.current.counts
      return shown === undefined ? [0, 1] : [shown.fromMs / 1000, shown.toMs / 1000]
    }
    const hooks: ChartHooks = { onSelect: (from, to) => latest.current.onSelect(from, to), onHover }
    const draw = () => {
      chart.current?.destroy()
      const data: uPlot.AlignedData = latest.current.counts === undefined ? [[], []] : dataOf(latest.current.counts)
      chart.current = new uPlot(optionsFor(element, range, hooks), data, element)
    }
    draw()
    const scheme = matchMedia('(prefers-color-scheme: dark)')
    scheme.addEventListener('change', draw)
    const resized = new ResizeObserver(() => chart.current?.setSize({ width: element.clientWidth, height: HEIGHT_PX }))
    resized.observe(element)
    return () => {
      scheme.removeEventListener('change', draw)
      resized.disconnect()
      chart.current?.destroy()
      chart.current = undefined
    }
  }, [])
  const dragging = useRef(false)
  useEffect(() => {
    // New numbers would move the ground under a selection that is being dragged.
    if (counts !== undefined && !dragging.current) chart.current?.setData(dataOf(counts))
  }, [counts])
  return { place, dragging }
}

export function TimeChart(props: TimeChartProps) {
  const { counts } = props
  const [hovered, setHovered] = useState<number>()
  const { place, dragging } = useChart(props, setHovered)
  const count = hovered === undefined ? undefined : counts?.counts[hovered]
  const total = counts?.counts.reduce((sum, value) => sum + value, 0) ?? 0
  return (
    <section class="chart" data-testid="histogram" aria-label="Events over time">
      <div
        ref={place}
        onPointerDown={() => (dragging.current = true)}
        onPointerUp={() => (dragging.current = false)}
        onPointerLeave={() => (dragging.current = false)}
      />
      <span class="chart-note dim">
        {count === undefined || counts === undefined
          ? `${amount(total)}${counts?.partial === true ? '+' : ''} events`
          : `${amount(count)} from ${shortTime(counts.fromMs + hovered! * counts.bucketMs, Date.now())}`}
      </span>
    </section>
  )
}
