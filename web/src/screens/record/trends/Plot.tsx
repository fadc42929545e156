/** One series over time, with its reference band. The same in words is the table below it. */
import 'uplot/dist/uPlot.min.css'

import { useComputedColorScheme } from '@mantine/core'
import { type ReactNode, useEffect, useRef } from 'react'
import uPlot from 'uplot'

import { figuresAt, timesAt } from './axes'
import type { Series } from './series'

const HEIGHT_PX = 180
const NARROWEST_PX = 200

export default function Plot({ series, language, label }: { series: Series; language: string; label: string }): ReactNode {
  const place = useRef<HTMLDivElement>(null)
  const scheme = useComputedColorScheme('light')
  useEffect(() => {
    const element = place.current
    if (element === null) return undefined
    const plot = new uPlot(optionsOf(series, language, element), pointsOf(series), element)
    const resized = new ResizeObserver(() => {
      plot.setSize({ width: Math.max(NARROWEST_PX, element.clientWidth), height: HEIGHT_PX })
    })
    resized.observe(element)
    return () => {
      resized.disconnect()
      plot.destroy()
    }
  }, [series, language, scheme])
  // Time runs from left to right in every language that this app speaks, as on paper charts.
  return <div ref={place} className="plot" role="img" aria-label={label} dir="ltr" />
}

function pointsOf(series: Series): uPlot.AlignedData {
  const drawn = series.points.filter((point) => point.value !== null)
  return [drawn.map((point) => point.at / 1000), drawn.map((point) => point.value)]
}

function optionsOf(series: Series, language: string, element: HTMLElement): uPlot.Options {
  const style = getComputedStyle(element)
  const ink = style.getPropertyValue('--quiet').trim()
  const line = style.getPropertyValue('--mantine-color-anchor').trim()
  const grid = style.getPropertyValue('--mantine-color-default-border').trim()
  const band = style.getPropertyValue('--plot-band').trim()
  const axis: uPlot.Axis = { stroke: ink, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid }, font: '13px system-ui' }
  return {
    width: Math.max(NARROWEST_PX, element.clientWidth),
    height: HEIGHT_PX,
    legend: { show: false },
    cursor: { drag: { x: false, y: false } },
    scales: { x: { range: () => xRange(series) }, y: { range: () => yRange(series) } },
    axes: [
      { ...axis, values: (_plot, at) => timesAt(at, language), space: 90, size: 34 },
      { ...axis, values: (_plot, at) => figuresAt(at, language), size: 52 },
    ],
    series: [{}, { stroke: line, width: 2, points: { show: true, size: 8, fill: line } }],
    hooks: {
      drawClear: [
        (plot) => {
          drawBand(plot, series, band)
        },
      ],
    },
  }
}

const HOUR_S = 3600

/** A single point, or points of one moment, stand in the middle of an hour. */
function xRange(series: Series): [number, number] {
  const [times] = pointsOf(series)
  const [low, high] = [times[0] ?? 0, times.at(-1) ?? 0]
  const room = high - low < 60 ? HOUR_S / 2 : (high - low) * 0.05
  return [low - room, high + room]
}

/** Everything drawn, and the edges of the band. */
function yRange(series: Series): [number, number] {
  const shown = [...series.points.map((point) => point.value), series.band.low, series.band.high]
  const numbers = shown.filter((one) => one !== null)
  const [least, most] = [Math.min(...numbers), Math.max(...numbers)]
  const room = most === least ? Math.max(1, Math.abs(most) * 0.1) : (most - least) * 0.15
  return [least - room, most + room]
}

function drawBand(plot: uPlot, series: Series, colour: string): void {
  const { low, high } = series.band
  if (low === null && high === null) return
  const { top, left, width, height } = plot.bbox
  const bottom = top + height
  const upper = high === null ? top : Math.max(top, plot.valToPos(high, 'y', true))
  const lower = low === null ? bottom : Math.min(bottom, plot.valToPos(low, 'y', true))
  plot.ctx.save()
  plot.ctx.fillStyle = colour
  plot.ctx.fillRect(left, upper, width, lower - upper)
  plot.ctx.restore()
}
